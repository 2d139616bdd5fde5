"""Label sets that hold the truth as often as promised, whatever the network is worth.

Split-conformal prediction with the scores of RAPS (Angelopoulos and others, "Uncertainty Sets for
Image Classifiers using Conformal Prediction", 2021), not randomised: a label costs the probability
of all that are more likely than it, and a penalty for each rank beyond the free ones. The set of an
image is what costs no more than a threshold, which labelled images give.

The best label costs nothing, so that no set is empty, and the same image gets the same set every
time. It follows that sets hold the truth at least as often as the best label alone is right. Where
that is more often than promised, every set has one label, and more than the promise is kept.
Everywhere else it is kept exactly, apart from chance.
"""

import math
from dataclasses import dataclass

import numpy as np

# Sets then end some thirty labels beyond the free ones, however flat the answer is. By more, the
# bundled everyday model needs larger sets to promise 99 %.
PENALTY = 0.03
ROUNDING = 1e-9  # of binary fractions: 0.55 of 100 images are 55, not 56


@dataclass(frozen=True)
class Ranked:
    """The labels of n images, best first: their indices, and what each costs (both n, classes)."""

    labels: np.ndarray
    costs: np.ndarray

    def rank_of(self, truth: np.ndarray) -> np.ndarray:
        """At which place (n,) the right labels (n,) are; 0 is the first."""
        ranks: np.ndarray = (self.labels == truth[:, None]).argmax(axis=1)
        return ranks

    def cost_of(self, truth: np.ndarray) -> np.ndarray:
        """What the right labels (n,) cost (n,)."""
        costs: np.ndarray = self.costs[np.arange(len(truth)), self.rank_of(truth)]
        return costs

    def sizes(self, threshold: float) -> np.ndarray:
        """How many labels (n,) are in each set; at least one."""
        sizes: np.ndarray = (self.costs <= threshold).sum(axis=1)
        return sizes


def rank(probabilities: np.ndarray, penalty: float, free_labels: int) -> Ranked:
    """Rank the labels by probabilities (n, classes); among equals the first comes first."""
    labels = np.argsort(-probabilities, axis=1, kind="stable")
    mass = np.take_along_axis(probabilities, labels, axis=1).cumsum(axis=1)
    before = np.concatenate([np.zeros_like(mass[:, :1]), mass[:, :-1]], axis=1)
    beyond = np.maximum(0, np.arange(1, mass.shape[1] + 1) - free_labels)
    return Ranked(labels, before + penalty * beyond)


def threshold(costs: np.ndarray, coverage: float) -> float:
    """The cost up to which a label is in a set, from those of the truth of n images (n,).

    It is the quantile for which one more image's truth lies at or below it with a probability of
    `coverage`, with n + 1 in place of n because that image counts too. There must be at least
    `fewest_images(coverage)`.
    """
    return float(np.sort(costs)[_count(len(costs), coverage) - 1])


def fewest_images(coverage: float) -> int:
    """How many images a promise of that coverage, between 0 and 1, needs."""
    return math.ceil(coverage / (1 - coverage) - ROUNDING)


def usual_size(ranks: np.ndarray, coverage: float) -> int:
    """How many labels hold the truth that often if every image gets as many, from ranks (n,)."""
    return int(np.sort(ranks)[_count(len(ranks), coverage) - 1]) + 1


def coverage_bounds(images: int, coverage: float) -> tuple[float, float]:
    """Between which shares the coverage of n images lies in 95 % of all draws: a promise's kept.

    These are quantiles of the binomial distribution. They leave out that the threshold comes from a
    draw, too: calibrated on as few images as were counted here, a promise that is kept lies outside
    in one of six draws.
    """
    k = np.arange(1, images + 1)
    logs = np.log((images - k + 1) / k) + math.log(coverage / (1 - coverage))
    chances = np.exp(images * math.log1p(-coverage) + np.concatenate([[0.0], logs.cumsum()]))
    low, high = np.searchsorted(chances.cumsum(), [0.025, 0.975])
    return float(low / images), float(high / images)


def _count(images: int, coverage: float) -> int:
    """How many of the images must lie at or below the threshold."""
    return math.ceil((images + 1) * coverage - ROUNDING)
