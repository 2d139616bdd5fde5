"""Wait until predictions have ended."""

import uuid
from collections.abc import Collection

from classifier import waiting
from classifier.models import Prediction


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
    return set(Prediction.objects.pending().filter(id__in=ids).values_list("id", flat=True))
