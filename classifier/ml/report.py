"""How good answers are: the usual measures of a classifier, each with what chance may do to it.

Precision, recall and F1 are scikit-learn's, with 0 where there is nothing to divide by. Means are
over the labels that the data set shows.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from classifier.ml.agreement import Interval
from classifier.ml.reliability import Bin, expected_calibration_error, reliability_bins

RESAMPLES = 1000
LIKELY = (2.5, 97.5)  # percentiles
FEWEST_FOR_TOP5 = 6  # labels; with fewer, the best five are nearly all


@dataclass(frozen=True)
class Means:
    """Of all labels, as shares."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class OfLabel(Means):
    """Of one label; the support is how many images show it."""

    label: str
    support: int


@dataclass(frozen=True)
class Report:
    """The measures, as shares from 0 to 1; intervals are 95 % by bootstrap over the images."""

    images: int
    accuracy: Interval
    top5: Interval | None
    macro: Means  # every label counts alike
    macro_f1: Interval
    weighted: Means  # every image counts alike
    per_class: tuple[OfLabel, ...]
    confusion: tuple[tuple[int, int, int], ...]  # right label, answer, how many; none of 0
    labels: tuple[str, ...]
    calibration_error: float
    reliability: tuple[Bin, ...]
    log_loss: float

    def to_json(self) -> dict[str, Any]:
        """The report as an evaluation keeps it."""
        return asdict(self)


def report(truth: np.ndarray, probabilities: np.ndarray, labels: tuple[str, ...]) -> Report:
    """Measure probabilities (n, classes) against the indices of the right labels (n,), n > 0."""
    guess = probabilities.argmax(axis=1)
    right, among = guess == truth, _among_best(truth, probabilities)
    counts = _Counts.of(truth, guess, len(labels))
    drawn = [
        (right[i].mean(), among[i].mean(), _Counts.of(truth[i], guess[i], len(labels)).macro().f1)
        for i in _resamples(len(truth))
    ]
    accuracies, top5s, f1s = np.array(drawn).T
    return Report(
        images=len(truth),
        accuracy=_interval(right.mean(), accuracies),
        top5=_interval(among.mean(), top5s) if len(labels) >= FEWEST_FOR_TOP5 else None,
        macro=counts.macro(),
        macro_f1=_interval(counts.macro().f1, f1s),
        weighted=counts.weighted(),
        per_class=tuple(counts.of_label(i, label) for i, label in enumerate(labels)),
        confusion=_confusion(truth, guess, len(labels)),
        labels=labels,
        calibration_error=expected_calibration_error(probabilities, truth),
        reliability=reliability_bins(probabilities, truth),
        log_loss=float(-np.log(probabilities[np.arange(len(truth)), truth].clip(1e-12)).mean()),
    )


@dataclass(frozen=True)
class _Counts:
    """Of each label (classes,): how often it was right, how often answered, how often there."""

    hits: np.ndarray
    answered: np.ndarray
    support: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, guess: np.ndarray, classes: int) -> "_Counts":
        hits = np.bincount(truth[truth == guess], minlength=classes)
        answered, support = (np.bincount(part, minlength=classes) for part in (guess, truth))
        return cls(hits, answered, support)

    @property
    def _shares(self) -> np.ndarray:
        """Precision, recall and F1 (3, classes)."""
        both = self.answered + self.support
        return np.stack(
            [
                self.hits / self.answered.clip(min=1),
                self.hits / self.support.clip(min=1),
                2 * self.hits / both.clip(min=1),
            ]
        )

    def macro(self) -> Means:
        return Means(*self._shares[:, self.support > 0].mean(axis=1).tolist())

    def weighted(self) -> Means:
        return Means(*(self._shares @ (self.support / self.support.sum())).tolist())

    def of_label(self, index: int, label: str) -> OfLabel:
        precision, recall, f1 = self._shares[:, index].tolist()
        return OfLabel(precision, recall, f1, label, int(self.support[index]))


def _among_best(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Whether the right label is one of the best five, booleans (n,)."""
    count = min(5, probabilities.shape[1])
    best = np.argpartition(probabilities, -count, axis=1)[:, -count:]
    among: np.ndarray = (best == truth[:, None]).any(axis=1)
    return among


def _resamples(n: int) -> Iterator[np.ndarray]:
    """Indices (n,) of images drawn anew, with replacement."""
    generator = np.random.default_rng(0)
    for _ in range(RESAMPLES):
        yield generator.integers(0, n, n)


def _confusion(
    truth: np.ndarray, guess: np.ndarray, classes: int
) -> tuple[tuple[int, int, int], ...]:
    pairs, counts = np.unique(truth * classes + guess, return_counts=True)
    return tuple(
        (int(pair // classes), int(pair % classes), int(count))
        for pair, count in zip(pairs, counts, strict=True)
    )


def _interval(value: float, resampled: np.ndarray) -> Interval:
    low, high = np.percentile(resampled, LIKELY)
    return Interval(float(value), float(low), float(high))
