"""How near the answers of one way to compute a network are to those of another."""

from dataclasses import dataclass
from typing import Any

import numpy as np

CONFIDENT = 0.5  # the reference's best score from which its answer counts as one to rely on
RESAMPLES = 10_000  # of the bootstrap: the interval's ends are then steady to a tenth of it


@dataclass(frozen=True)
class Interval:
    """A mean, and the interval that holds it with 95 % confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """What one engine answers on images, compared with what the reference answers.

    Shares go from 0 to 1. Accuracies are there only where the images have labels.
    """

    images: int
    agreement: float  # share of the images whose best label is the same
    confident: int  # images that the reference scores at CONFIDENT or more
    agreement_confident: float | None  # the share among these; none where there are none
    max_difference: float  # of any score
    accuracy: float | None = None
    accuracy_loss: Interval | None = None  # the reference's accuracy less this one's

    def to_json(self) -> dict[str, Any]:
        """The figures as a receipt keeps them."""
        loss = self.accuracy_loss
        return {
            "images": self.images,
            "agreement": self.agreement,
            "confident": self.confident,
            "agreement_confident": self.agreement_confident,
            "max_difference": self.max_difference,
            "accuracy": self.accuracy,
            "accuracy_loss": loss and {"value": loss.value, "low": loss.low, "high": loss.high},
        }


def compare(reference: np.ndarray, other: np.ndarray, truth: np.ndarray | None = None) -> Agreement:
    """Compare probabilities (n, classes) of the same n > 0 images, with their right labels (n,)."""
    expected, found = reference.argmax(axis=1), other.argmax(axis=1)
    same = expected == found
    confident = reference.max(axis=1) >= CONFIDENT
    return Agreement(
        images=len(reference),
        agreement=float(same.mean()),
        confident=int(confident.sum()),
        agreement_confident=float(same[confident].mean()) if confident.any() else None,
        max_difference=float(np.abs(reference - other).max()),
        accuracy=None if truth is None else float((found == truth).mean()),
        accuracy_loss=None if truth is None else paired_loss(expected == truth, found == truth),
    )


def paired_loss(right_before: np.ndarray, right_after: np.ndarray) -> Interval:
    """The mean loss of accuracy over the same images (n,), with its interval by bootstrap.

    An image can only be lost, won or neither, so that drawing images anew is drawing how many of
    each there are.
    """
    n = len(right_before)
    lost = int((right_before & ~right_after).sum())
    won = int((~right_before & right_after).sum())
    shares = np.array([lost, won, n - lost - won]) / n
    drawn = np.random.default_rng(0).multinomial(n, shares, RESAMPLES)
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) / n, [2.5, 97.5])
    return Interval((lost - won) / n, float(low), float(high))
