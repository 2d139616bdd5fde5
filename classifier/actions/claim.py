"""Lease waiting predictions to a worker."""

import functools
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from classifier.actions.announce import announce_begun
from classifier.models import ModelVersion, Prediction, Shadow, Status
from classifier.models.owed import lease_expiry
from classifier.queries.prepared import Prepared

OF_EACH = (
    "owner_id",
    "model_version_id",
    "attempts",
    "top_k",
    "keeps_probabilities",
    "image__file",
)
# Not its spec, which may hold a thousand labels.
OF_THE_VERSION = tuple(
    f"model_version__{name}" for name in ("name", "version", "variant_id", "calibration")
)
NO_EXCEPTION: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True)
class Claim:
    """Predictions of one model version that are this worker's until the lease runs out."""

    lease: uuid.UUID
    model_version: ModelVersion
    predictions: tuple[Prediction, ...]


def claim(max_batch: int, of_version: Mapping[int, int] = NO_EXCEPTION) -> Claim | None:
    """Lease up to `max_batch` of the waiting predictions whose turn it is, of one model version.

    One short transaction: on PostgreSQL the rows are locked as they are found and those that
    another worker is claiming are passed over; on SQLite the transaction is an immediate one. The
    attempt is counted here, before the work, so that a row that kills its worker is counted too. A
    row that was claimed before runs alone, so that it can take nobody with it.

    Args:
        max_batch: how many to lease at most.
        of_version: another number for the model versions with these keys.

    Returns None where nothing waits.
    """
    with transaction.atomic():
        now = timezone.now()
        rows = _first(now=now)
        if not rows:
            return None
        [first] = rows
        room = of_version.get(first.model_version_id, max_batch) - 1
        if not first.attempts and room > 0:
            rows += _others(room)(now=now, model_version=first.model_version_id, first=first.id)
        lease = uuid.uuid4()
        Prediction.objects.filter(id__in=[row.id for row in rows]).update(
            status=Status.RUNNING,
            attempts=models.F("attempts") + 1,
            lease=lease,
            lease_expires_at=lease_expiry(),
            started_at=now,
        )
        announce_begun([row.id for row in rows], {row.owner_id for row in rows})
    return Claim(lease, first.model_version, tuple(rows))


def renew(leases: Collection[uuid.UUID]) -> int:
    """Let leases run on from now, for work that goes on. Returns how many predictions they hold.

    A lease that has been taken away meanwhile stays so, and what is being settled needs it no more.
    """
    until = {"lease_expires_at": lease_expiry()}
    with transaction.atomic():
        Shadow.objects.leased(*leases).untouched().update(**until)
        return Prediction.objects.leased(*leases).untouched().update(**until)


def _unclaimed(now: object, *fields: str) -> models.QuerySet[Prediction]:
    """What waits, with no more of each row than a worker needs: it is read for every image."""
    return (
        Prediction.objects.in_turn()
        .unexpired(now)
        .only(*OF_EACH, *fields)
        .select_for_update(skip_locked=True, of=("self",))
    )


def unclaimed_of(model_version: Any, now: object) -> models.QuerySet[Prediction]:
    """What waits for a version and was not tried yet."""
    return _unclaimed(now).filter(model_version=model_version, attempts=0)


_first = Prepared(
    lambda now: _unclaimed(now, *OF_THE_VERSION).select_related("image", "model_version")[:1],
    now=models.DateTimeField(),
)


@functools.lru_cache(maxsize=256)
def _others(room: int) -> Prepared[Prediction]:
    """So many more of the same version that were not tried yet."""
    return Prepared(
        lambda now, model_version, first: (
            unclaimed_of(model_version, now).exclude(id=first).select_related("image")[:room]
        ),
        now=models.DateTimeField(),
        model_version=models.BigAutoField(),
        first=models.UUIDField(),
    )
