"""Take back what was left behind, and ring for whatever waits."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, TextField, Value, When
from django.utils import timezone

from classifier.actions.announce import announce_ended
from classifier.actions.deliver import tidy_deliveries
from classifier.actions.evaluations import sweep_evaluations
from classifier.actions.once import forget_old
from classifier.actions.shadow import sweep_shadows
from classifier.bells import CLASSIFY, DELIVER, EVALUATE, ring, ring_by_message
from classifier.models import Endpoint, Prediction, Status
from classifier.models.owed import FREE
from classifier.models.prediction import PredictionQuerySet

EXPIRED = "No worker began with it before expires_in was over."
GAVE_UP = "Every worker that took it stopped or ran out of time. Try it again, or another image."


def sweep() -> int:
    """Queue the predictions of dead workers again, fail those tried too often, ring if any waits.

    Every statement is conditional on the row's state, so that any number of sweeps may run.

    Returns:
        How many leases had run out.
    """
    with transaction.atomic():
        lapsed = Prediction.objects.lapsed()
        reason = Case(
            When(error_detail="", then=Value(GAVE_UP, TextField())), default="error_detail"
        )
        spent = lapsed.filter(attempts__gte=settings.MAX_ATTEMPTS)
        failed = _fail(spent, error_code="attempts_exhausted", error_detail=reason)
        again = lapsed.filter(attempts__lt=settings.MAX_ATTEMPTS).untouched()
        queued = again.update(status=Status.QUEUED, **FREE)
    _fail(Prediction.objects.expired(), error_code="expired", error_detail=EXPIRED)
    forget_old()
    tidy_deliveries()
    if Prediction.objects.waiting().exists():
        ring_by_message(CLASSIFY)  # a call may go to a worker that is gone without a word
    if Endpoint.objects.with_due().exists():
        ring(DELIVER)
    if sweep_evaluations():
        ring(EVALUATE)
    sweep_shadows()  # last: nothing else waits for it
    return failed + queued


def _fail(predictions: PredictionQuerySet, **reason: Any) -> int:
    """End predictions without an answer; whoever is at one of them meanwhile keeps it."""
    with transaction.atomic():
        rows = predictions.select_for_update(skip_locked=True, of=("self",))
        owners = dict(rows.values_list("id", "owner_id"))
        if owners:
            Prediction.objects.filter(id__in=owners).update(
                status=Status.FAILED, completed_at=timezone.now(), **FREE, **reason
            )
            announce_ended(owners.keys(), set(owners.values()))
    return len(owners)
