"""From a network's outputs to what a prediction says: as they are, or by a calibration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from classifier.ml.calibration import MOST_LABELS, Calibration, judge
from classifier.ml.probabilities import softmax


@dataclass(frozen=True)
class Read:
    """What is said of n images."""

    probabilities: np.ndarray  # float32 (n, classes)
    label_sets: Sequence[Sequence[str] | None]  # best first; none without a calibration
    doubts: Sequence[str]


Reading = Callable[[np.ndarray, Sequence[str]], Read]  # of logits (n, classes), and the labels


def reading_of(calibration: Mapping[str, Any]) -> Reading:
    """How a version's logits are to be read; an empty calibration is none.

    Raises:
        InvalidCalibration: if it is not one that `calibrate` keeps.
    """
    if not calibration:
        return _as_they_are
    known = Calibration.from_json(calibration)

    def read(logits: np.ndarray, labels: Sequence[str]) -> Read:
        judged = judge(logits, known)
        sets = [[labels[i] for i in best[:MOST_LABELS]] for best in judged.label_sets]
        return Read(judged.probabilities.astype(np.float32), sets, judged.doubts)

    return read


def _as_they_are(logits: np.ndarray, labels: Sequence[str]) -> Read:
    return Read(softmax(logits), [None] * len(logits), [""] * len(logits))
