"""Say how a version's scores are to be read, and when it does not know."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from classifier.models import ModelVersion


def calibrate(version: ModelVersion, calibration: Mapping[str, Any]) -> None:
    """Let predictions from now on be read by this calibration; by none, if it is empty.

    Workers take it with their next batch, and what was answered before it is not recalled.
    """
    if calibration:
        calibration = {**calibration, "fitted_at": timezone.now().isoformat()}
    ModelVersion.objects.filter(pk=version.pk).update(calibration=dict(calibration))
    version.refresh_from_db(fields=["calibration"])
