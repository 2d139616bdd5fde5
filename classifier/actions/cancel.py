"""Withdraw predictions that nobody has begun."""

from django.utils import timezone

from classifier.models import Prediction, Status
from classifier.models.prediction import PredictionQuerySet


def cancel(predictions: PredictionQuerySet) -> int:
    """Cancel those that still wait; one conditional statement, so that a claim is never undone.

    Returns how many were canceled.
    """
    return predictions.waiting().update(status=Status.CANCELED, completed_at=timezone.now())


def cancel_one(prediction: Prediction) -> bool:
    """Cancel one prediction. False if it was begun or done already."""
    return cancel(Prediction.objects.filter(id=prediction.id)) == 1
