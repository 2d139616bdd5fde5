"""Answer at once what was answered before: the same image through the same model, for one owner."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from classifier.models import Image, ModelVersion, Prediction, Variant

KEPT_LABELS = 10  # of a network's classes, the best that a prediction keeps at least


def kept_labels(top_k: int | None) -> int:
    """How many labels a prediction keeps of which `top_k` were asked for."""
    return max(KEPT_LABELS, top_k or 0)


def recall(predictions: Iterable[Prediction], version: ModelVersion) -> list[Prediction]:
    """End those new predictions of one version whose image it has answered before.

    Only an answer that was computed as it would be now, and that knows all that is asked for, will
    do. Nothing is saved. Returns the predictions that have their answer.
    """
    asked = list(predictions)
    thorough = any(row.keeps_probabilities for row in asked)
    earlier = _answers({row.image_id for row in asked}, version, thorough)
    now = timezone.now()
    answered = []
    for row in asked:
        answer = earlier.get(row.image_id)
        if answer and len(answer.output or ()) >= _wanted(row, version):
            _take(row, answer, now)
            answered.append(row)
    return answered


def _answers(
    images: Iterable[UUID], version: ModelVersion, with_probabilities: bool
) -> dict[UUID, Prediction]:
    """The newest answer to each image, by its id."""
    found = Prediction.objects.succeeded().filter(
        model_version=version, cached=False, image=OuterRef("id")
    )
    if version.variant_id is None:
        found = found.filter(variant=version.computed_by)
    else:  # it may just have been replaced
        variant = Variant.objects.filter(id=version.variant_id).first()
        if variant is None:
            return {}
        found = found.filter(variant=str(variant), completed_at__gte=variant.created_at)
    if fitted_at := version.calibration.get("fitted_at"):  # before, scores meant something else
        found = found.filter(started_at__gte=fitted_at)
    if with_probabilities:
        found = found.filter(probabilities__isnull=False)
    newest = Subquery(found.order_by("-id").values("id")[:1])
    ids = Image.objects.filter(id__in=images).annotate(newest=newest).values_list("newest")
    return {row.image_id: row for row in Prediction.objects.filter(id__in=ids)}


def _wanted(row: Prediction, version: ModelVersion) -> int:
    return min(kept_labels(row.top_k), len(version.labels))


def _take(row: Prediction, answer: Prediction, now: datetime) -> None:
    for name in ("status", "output", "top_label", "top_score", "variant", "label_set", "doubt"):
        setattr(row, name, getattr(answer, name))
    if row.keeps_probabilities:
        row.probabilities = answer.probabilities
    row.cached = True
    row.completed_at = now
