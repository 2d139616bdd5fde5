"""Record what a person says a picture shows."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from classifier.models import Prediction, Review, Status, User, Verdict


class NotReviewable(ValueError):
    """The prediction has no answer to judge, or the label is not one of its model's."""


def review(prediction: Prediction, reviewer: User, label: str) -> Review:
    """Set the verdict on a prediction: `confirmed` if the label is its top label, else `corrected`.

    A second review replaces the first.

    Raises:
        NotReviewable: if the prediction has not succeeded or its model does not know the label.
    """
    if prediction.status != Status.SUCCEEDED:
        raise NotReviewable(
            _("%(prediction)s has no answer to review.") % {"prediction": prediction}
        )
    if label not in prediction.model_version.labels:
        message = _("“%(label)s” is not a label of %(version)s.")
        raise NotReviewable(message % {"label": label, "version": prediction.model_version})
    made, _created = Review.objects.update_or_create(
        prediction=prediction,
        defaults={
            "reviewer": reviewer,
            "label": label,
            "verdict": _verdict(prediction, label),
        },
    )
    return made


def confirm_all(predictions: Iterable[Prediction], reviewer: User) -> int:
    """Confirm the top label of every prediction that has one. Returns how many."""
    return _review_all(predictions, reviewer)


def correct_all(predictions: Iterable[Prediction], reviewer: User, label: str) -> int:
    """Set `label` as the true one of every prediction that has an answer. Returns how many.

    Their model versions must all know the label.
    """
    return _review_all(predictions, reviewer, label)


def _review_all(predictions: Iterable[Prediction], reviewer: User, label: str = "") -> int:
    """Insert or replace the reviews in bulk; without a label, each gets its own top label."""
    reviews = [
        Review(
            prediction=prediction,
            reviewer=reviewer,
            label=label or prediction.top_label,
            verdict=_verdict(prediction, label or prediction.top_label),
        )
        for prediction in predictions
        if prediction.status == Status.SUCCEEDED
    ]
    Review.objects.bulk_create(
        reviews,
        update_conflicts=True,
        unique_fields=["prediction"],
        update_fields=["reviewer", "label", "verdict", "reviewed_at"],
    )
    return len(reviews)


def _verdict(prediction: Prediction, label: str) -> Verdict:
    return Verdict.CONFIRMED if label == prediction.top_label else Verdict.CORRECTED
