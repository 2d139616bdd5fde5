"""Classify images while whoever asked for it waits for the answers."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from django.utils import timezone

from classifier import waiting
from classifier.actions.cancel import cancel
from classifier.actions.submit import Order, submit_all
from classifier.actions.wait import wait_in_seat
from classifier.images import VerifiedImage
from classifier.models import Prediction, Status

EXPIRED_CODE = "expired"  # of what the sweep has withdrawn before we did


@dataclass(frozen=True)
class NamedImage:
    """A picture that was verified, and the name that it came with."""

    name: str
    content: VerifiedImage


class OutOfTime(Exception):
    """The time was over before all images had been classified; nobody works on them any more."""


class Unanswered(Exception):
    """An image was taken, but there will be no answer; `index` says which of them, from 0."""

    def __init__(self, index: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.index = index
        self.code = code


def answer(order: Order, images: Sequence[NamedImage], seconds: float) -> list[Prediction]:
    """Classify images and return their predictions, all succeeded, in the same order.

    A seat is taken first, so that nothing is stored for somebody who would be sent away. What
    cannot be had in time is withdrawn: nobody would come back for it.

    Raises:
        NoSeat: if as many requests wait in this process as may.
        OutOfTime: if it takes longer than `seconds`.
        Unanswered: if one of the images was classified in vain, or its prediction was taken away.
    """
    limited = replace(order, expires_at=timezone.now() + timedelta(seconds=seconds))
    with waiting.seat():
        uploads = [(image.content, image.name) for image in images]
        ids = [prediction.id for prediction in submit_all(limited, uploads)]
        wait_in_seat(ids, seconds)
    return _answers(ids)


def _answers(ids: Collection[uuid.UUID]) -> list[Prediction]:
    found = Prediction.objects.in_bulk(list(ids))
    if any(row.is_pending or row.error_code == EXPIRED_CODE for row in found.values()):
        cancel(Prediction.objects.filter(id__in=ids))
        raise OutOfTime
    for index, key in enumerate(ids):
        _check(index, found.get(key))
    return [found[key] for key in ids]


def _check(index: int, prediction: Prediction | None) -> None:
    if prediction is None:
        raise Unanswered(index, "deleted", "It was deleted before it was classified.")
    if prediction.status == Status.CANCELED:
        raise Unanswered(index, "canceled", "It was canceled before it was classified.")
    if prediction.status == Status.FAILED:
        raise Unanswered(index, prediction.error_code, prediction.error_detail)
