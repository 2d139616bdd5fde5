"""Wait until predictions have ended."""

import uuid
from collections.abc import Collection

from django.db import models

from classifier import waiting
from classifier.models import Prediction
from classifier.queries.prepared import Prepared


def wait_until_ended(ids: Collection[uuid.UUID], seconds: float) -> bool:
    """Wait until these predictions have ended, or are gone. False if the time ran out first.

    Raises:
        NoSeat: if as many requests wait in this process as may.
    """
    return waiting.wait(ids, seconds, _still_pending)


def wait_in_seat(ids: Collection[uuid.UUID], seconds: float) -> bool:
    """Wait as `wait_until_ended` does, for whoever keeps a `waiting.seat` already."""
    return waiting.wait_in_seat(ids, seconds, _still_pending)


def _still_pending(ids: Collection[uuid.UUID]) -> Collection[uuid.UUID]:
    if len(ids) == 1:  # as nearly always
        [key] = ids
        return {row.id for row in _pending(key=key)}
    return set(Prediction.objects.pending().filter(id__in=ids).values_list("id", flat=True))


_pending = Prepared(
    lambda key: Prediction.objects.pending().only("id").filter(id=key), key=models.UUIDField()
)
