"""What a calibration is worth on images that it was not fitted on."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from classifier.ml.calibration import (
    AMBIGUOUS,
    UNFAMILIAR,
    Calibration,
    checked,
    familiarity,
    judge,
)
from classifier.ml.conformal import coverage_bounds
from classifier.ml.probabilities import softmax
from classifier.ml.reliability import expected_calibration_error


@dataclass(frozen=True)
class Verification:
    """The figures; shares from 0 to 1."""

    images: int
    accuracy: float
    ece_before: float
    ece_after: float
    promised: float  # coverage: how many of the label sets hold the truth
    coverage: float  # as found
    coverage_low: float  # between these it lies in 95 % of draws where the promise holds
    coverage_high: float
    mean_labels: float  # in a set
    ambiguous: float
    unfamiliar: float

    @property
    def promise_kept(self) -> bool:
        """Whether sets hold the truth as often as promised, or miss it no more often by chance."""
        return self.coverage >= self.coverage_low

    def to_json(self) -> dict[str, Any]:
        """The figures as a report keeps them."""
        return asdict(self)


def verify(logits: np.ndarray, truth: np.ndarray, calibration: Calibration) -> Verification:
    """Hold a calibration against logits (n, classes) and the right labels' indices (n,).

    Where the best label alone is right more often than promised, the sets, none of which is empty,
    hold the truth more often, too; see `conformal`.

    Raises:
        InvalidCalibration: if there is no image, or a label or a logit makes no sense.
    """
    logits = checked(logits, truth)
    judged = judge(logits, calibration)
    held = [label in found for label, found in zip(truth, judged.label_sets, strict=True)]
    low, high = coverage_bounds(len(truth), calibration.coverage)
    return Verification(
        images=len(truth),
        accuracy=float((logits.argmax(axis=1) == truth).mean()),
        ece_before=expected_calibration_error(softmax(logits), truth),
        ece_after=expected_calibration_error(judged.probabilities, truth),
        promised=calibration.coverage,
        coverage=sum(held) / len(held),
        coverage_low=low,
        coverage_high=high,
        mean_labels=sum(map(len, judged.label_sets)) / len(held),
        ambiguous=judged.doubts.count(AMBIGUOUS) / len(held),
        unfamiliar=judged.doubts.count(UNFAMILIAR) / len(held),
    )


@dataclass(frozen=True)
class Outside:
    """How images of other things are told from images like those that were trained on."""

    images: int  # of other things
    auroc: float  # of the familiarity of both
    unfamiliar_inside: float | None  # shares found unfamiliar; None where no calibration asks
    unfamiliar_outside: float | None

    def to_json(self) -> dict[str, Any]:
        """The figures as a report keeps them."""
        return asdict(self)


def tell_apart(
    inside: np.ndarray, outside: np.ndarray, calibration: Calibration | None = None
) -> Outside:
    """Hold logits (n, classes) for images like those trained on against others (m, classes)."""
    inside, outside = (familiarity(np.asarray(part, np.float64)) for part in (inside, outside))
    least = calibration.least_familiar if calibration else None
    shares = (None if least is None else float((part < least).mean()) for part in (inside, outside))
    return Outside(len(outside), auroc(inside, outside), *shares)


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """How well a score tells two groups apart: the area under the ROC curve, from 0 to 1.

    It is the chance that one of the `inside` (n,) scores higher than one of the `outside` (m,), a
    tie counting half; exact. 0.5 is no better than to guess. Neither group may be empty.
    """
    ordered = np.sort(outside)
    below, upto = (np.searchsorted(ordered, inside, side) for side in ("left", "right"))
    return float((below + upto).mean() / (2 * len(ordered)))
