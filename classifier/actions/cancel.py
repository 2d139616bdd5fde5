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
        owners = dict(waiting.values_list("id", "owner_id"))
        Prediction.objects.filter(id__in=owners).update(
            status=Status.CANCELED, completed_at=timezone.now()
        )
        announce_ended(owners.keys(), set(owners.values()))
    return len(owners)


def cancel_one(prediction: Prediction) -> bool:
    """Cancel one prediction. False if it was begun or done already."""
    return cancel(Prediction.objects.filter(id=prediction.id)) == 1
