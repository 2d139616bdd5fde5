"""Withdraw predictions that nobody has begun."""

from django.db import transaction
from django.utils import timezone

from classifier.actions.announce import announce_ended
from classifier.models import Prediction, Status
from classifier.models.prediction import PredictionQuerySet


def cancel(predictions: PredictionQuerySet) -> int:
    """Cancel those that still wait; each by a conditional statement, so that no claim is undone.

    Returns how many were canceled.
    """
    with transaction.atomic():
        waiting = predictions.waiting().order_by("id").select_for_update(of=("self",))
        ids = list(waiting.values_list("id", flat=True))
        Prediction.objects.filter(id__in=ids).update(
            status=Status.CANCELED, completed_at=timezone.now()
        )
        announce_ended(ids)
    return len(ids)


def cancel_one(prediction: Prediction) -> bool:
    """Cancel one prediction. False if it was begun or done already."""
    return cancel(Prediction.objects.filter(id=prediction.id)) == 1
