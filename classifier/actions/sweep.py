"""Take back what was left behind, and ring for whatever waits."""

from django.conf import settings
from django.db import transaction
from django.db.models import Case, TextField, Value, When
from django.utils import timezone

from classifier.bells import CLASSIFY, ring
from classifier.models import Prediction, Status

GAVE_UP = "Every worker that took it stopped or ran out of time. Try it again, or another image."


def sweep() -> int:
    """Queue the predictions of dead workers again, fail those tried too often, ring if any waits.

    Every statement is conditional on the row's state, so that any number of sweeps may run.

    Returns:
        How many leases had run out.
    """
    with transaction.atomic():
        lapsed = Prediction.objects.lapsed()
        failed = lapsed.filter(attempts__gte=settings.MAX_ATTEMPTS).update(
            status=Status.FAILED,
            error_code="attempts_exhausted",
            error_detail=Case(
                When(error_detail="", then=Value(GAVE_UP, TextField())), default="error_detail"
            ),
            lease=None,
            lease_expires_at=None,
            completed_at=timezone.now(),
        )
        queued = lapsed.update(status=Status.QUEUED, lease=None, lease_expires_at=None)
    if Prediction.objects.waiting().exists():
        ring(CLASSIFY)
    return failed + queued
