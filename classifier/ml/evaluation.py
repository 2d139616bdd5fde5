"""How often a model is right on labelled images, measured through the engine that serves it.

Pixels are the exact ones, so that figures can be compared from one version of the code to the next.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from classifier.ml.datasets import InvalidDataset, LabelledFiles
from classifier.ml.engines import Engine
from classifier.ml.inference import classify_files
from classifier.ml.preprocess import UndecodableImage, preprocess_exactly
from classifier.ml.spec import ModelSpec


@dataclass(frozen=True)
class Accuracy:
    """Shares, 0 to 1, of images whose best label is the right one."""

    images: int
    overall: float
    per_class: dict[str, float]


def measure_accuracy(
    data: LabelledFiles,
    engine: Engine,
    spec: ModelSpec,
    after_image: Callable[[], object] = lambda: None,
) -> Accuracy:
    """Classify all files of a data set and count.

    Raises:
        InvalidDataset: if a file cannot be read, or the data set's labels are not the model's.
    """
    if data.labels != spec.labels:
        raise InvalidDataset(
            f"the folders are {', '.join(data.labels)}; the model's labels {', '.join(spec.labels)}"
        )
    totals = Counter(label for _, label in data.files)
    right: Counter[int] = Counter()
    truth = dict(data.files)
    for path, scores in classify_files(list(truth), engine, spec, preprocess_exactly):
        if isinstance(scores, UndecodableImage):
            raise InvalidDataset(f"{path}: {scores}")
        right[truth[path]] += int(scores.argmax()) == truth[path]
        after_image()
    return Accuracy(
        images=totals.total(),
        overall=right.total() / totals.total(),
        per_class={label: right[i] / totals[i] for i, label in enumerate(data.labels)},
    )
