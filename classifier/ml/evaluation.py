"""What a model says of labelled images, through the engine that serves it.

Pixels are the exact ones, so that figures can be compared from one version of the code to the next.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifier.ml.datasets import InvalidDataset, LabelledFiles
from classifier.ml.engines import Engine
from classifier.ml.inference import outputs_of_files
from classifier.ml.preprocess import UndecodableImage, preprocess_exactly
from classifier.ml.probabilities import softmax
from classifier.ml.spec import ModelSpec

SINGLE_IMAGES = 20  # that the latency is measured by


@dataclass(frozen=True)
class Answers:
    """A model's outputs for n images, with the indices of the right labels."""

    files: tuple[Path, ...]
    truth: np.ndarray  # int64 (n,)
    logits: np.ndarray  # float32 (n, classes)
    temperature: float = 1.0  # that of the model's calibration

    @property
    def probabilities(self) -> np.ndarray:
        """As they are served, float32 (n, classes)."""
        return softmax(self.logits / self.temperature)


def answer(
    data: LabelledFiles,
    engine: Engine,
    spec: ModelSpec,
    after_image: Callable[[], object] = lambda: None,
) -> Answers:
    """Classify all files of a data set, whose labels must be among the model's.

    Raises:
        InvalidDataset: if a file cannot be read, or a label is unknown.
    """
    known = data.with_labels_of(spec.labels)
    truth = dict(known.files)
    logits = logits_of(list(truth), engine, spec, after_image)
    return Answers(tuple(truth), np.array(list(truth.values())), logits)


def logits_of(
    files: Sequence[Path],
    engine: Engine,
    spec: ModelSpec,
    after_image: Callable[[], object] = lambda: None,
) -> np.ndarray:
    """What the network makes of n > 0 image files, float32 (n, classes).

    Raises:
        InvalidDataset: if a file cannot be read.
    """
    logits = []
    for path, output in outputs_of_files(
        files, engine.logits, engine.max_batch, spec, preprocess_exactly
    ):
        if isinstance(output, UndecodableImage):
            raise InvalidDataset(f"{path}: {output}")
        logits.append(output)
        after_image()
    return np.stack(logits)


def latency(engine: Engine, spec: ModelSpec) -> float:
    """Seconds in the network for one image alone, the median of several."""
    image = np.zeros((1, spec.crop, spec.crop, 3), np.uint8)
    times = []
    for _ in range(SINGLE_IMAGES):
        begun = time.perf_counter()
        engine.logits(image)
        times.append(time.perf_counter() - begun)
    return float(np.median(times))
