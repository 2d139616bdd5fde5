"""Let a challenger answer a share of what the champion has answered, when nothing else waits."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import models, transaction

from classifier.models import Alias, ModelVersion, Prediction, Shadow, Status
from classifier.models.owed import FREE, lease_expiry

MOST_WAITING = 1000  # of a challenger; a queue that is never empty would let them grow for ever


@dataclass(frozen=True)
class Seen:
    """What the challenger makes of an image: its best label."""

    shadow_id: int
    label: str
    score: float


def challengers() -> dict[int, ModelVersion]:
    """Who challenges whom: each challenger by the key of its champion."""
    found = ModelVersion.objects.filter(alias=Alias.CHALLENGER).select_related("variant")
    by_name = {version.name: version for version in found}
    champions = ModelVersion.objects.filter(alias=Alias.CHAMPION, name__in=by_name)
    return {key: by_name[name] for key, name in champions.values_list("pk", "name")}


def cast_shadows(challenger: ModelVersion, predictions: Iterable[uuid.UUID]) -> int:
    """Owe the challenger's answers to those of these predictions that succeeded.

    Images are locked as they are by whoever deletes one with its predictions, which goes first.
    Returns how many.
    """
    waiting = Shadow.objects.waiting().filter(model_version=challenger)
    if waiting.count() >= MOST_WAITING:
        return 0
    with transaction.atomic():
        if not ModelVersion.objects.filter(pk=challenger.pk, alias=Alias.CHALLENGER).exists():
            return 0  # no longer, or it is deleted
        rows = Prediction.objects.succeeded().filter(id__in=list(predictions))
        there = rows.select_related("image").order_by("image__sha256").only("id", "image")
        locked = there.select_for_update(skip_locked=True, of=("self", "image"))
        shadows = [Shadow(prediction_id=row.id, model_version=challenger) for row in locked]
        Shadow.objects.bulk_create(shadows, ignore_conflicts=True)
    return len(shadows)


def claim_shadows(challenger: ModelVersion, most: int) -> tuple[uuid.UUID, list[Shadow]]:
    """Lease the oldest of a challenger's that wait, at most so many, with their images."""
    lease = uuid.uuid4()
    with transaction.atomic():
        waiting = Shadow.objects.waiting().filter(model_version=challenger).order_by("id")
        rows = waiting.select_for_update(skip_locked=True, of=("self",))
        claimed = list(rows.select_related("prediction__image")[:most])
        Shadow.objects.filter(pk__in=[row.pk for row in claimed]).update(
            status=Status.RUNNING,
            attempts=models.F("attempts") + 1,
            lease=lease,
            lease_expires_at=lease_expiry(),
        )
    return lease, claimed


def settle_shadows(lease: uuid.UUID, found: Sequence[Seen]) -> None:
    """Write what was seen, where the lease still holds; what is left of the claim has failed."""
    with transaction.atomic():
        for seen in found:
            Shadow.objects.leased(lease).filter(pk=seen.shadow_id).update(
                status=Status.SUCCEEDED, top_label=seen.label, top_score=seen.score, **FREE
            )
        Shadow.objects.leased(lease).update(status=Status.FAILED, **FREE)


def hand_back_shadows(lease: uuid.UUID) -> None:
    """Let them wait again, since nothing is wrong with them or the challenger."""
    Shadow.objects.leased(lease).update(status=Status.QUEUED, **FREE)


def sweep_shadows() -> None:
    """Give up what dead workers left, and all that waits for who is no challenger any more.

    They may have died of it, so nothing of it is tried again, and nothing else that waits for that
    challenger now is tried at all.
    """
    lapsed = Shadow.objects.lapsed()
    deadly = set(lapsed.values_list("model_version", flat=True))
    with transaction.atomic():
        lapsed.untouched().update(status=Status.FAILED, **FREE)
    needless = ~models.Q(model_version__alias=Alias.CHALLENGER)
    Shadow.objects.waiting().filter(needless | models.Q(model_version__in=deadly)).delete()
