"""Whether a score means what it says: of the answers scored 0.8, four of five should be right."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

BINS = 15  # as in the literature, so that figures can be compared


@dataclass(frozen=True)
class Bin:
    """The answers whose score is above `low` and at most `high`. An empty bin has no means."""

    low: float
    high: float
    count: int
    confidence: float | None  # their mean score
    accuracy: float | None  # the share of them that is right

    def to_json(self) -> dict[str, Any]:
        """A bar of a reliability diagram."""
        return asdict(self)


def reliability_bins(
    probabilities: np.ndarray, truth: np.ndarray, bins: int = BINS
) -> tuple[Bin, ...]:
    """Sort the best answers to n images by their score, into bins of equal width.

    Takes probabilities (n, classes) and the right labels' indices (n,).
    """
    scores = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    # Rounded up: a score at an edge is in the bin below it, and a perfect one in the last.
    number = np.clip(np.ceil(scores * bins).astype(int) - 1, 0, bins - 1)
    counts, confidences, accuracies = (
        np.bincount(number, weights, minlength=bins) for weights in (None, scores, right)
    )
    return tuple(
        Bin(
            low=i / bins,
            high=(i + 1) / bins,
            count=int(count),
            confidence=float(confidences[i] / count) if count else None,
            accuracy=float(accuracies[i] / count) if count else None,
        )
        for i, count in enumerate(counts)
    )


def expected_calibration_error(
    probabilities: np.ndarray, truth: np.ndarray, bins: int = BINS
) -> float:
    """How far scores are from the share that is right, from 0 to 1: the mean over n > 0 images.

    ECE with bins of equal width (Guo and others, "On Calibration of Modern Neural Networks", 2017).
    Takes probabilities (n, classes) and the right labels' indices (n,).
    """
    found = reliability_bins(probabilities, truth, bins)
    gaps = (
        one.count * abs(one.confidence - one.accuracy)
        for one in found
        if one.confidence is not None and one.accuracy is not None
    )
    return sum(gaps) / len(truth)
