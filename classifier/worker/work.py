"""What was claimed, on its way from the stored pictures through a network to its answers."""

import itertools
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from classifier.actions.recall import kept_labels
from classifier.actions.settle import Outcome
from classifier.ml.inference import top_labels_of_each
from classifier.ml.preprocess import UndecodableImage, preprocess
from classifier.ml.reading import Reading
from classifier.models import Prediction
from classifier.worker.runtime import LoadedModel, decoders

logger = logging.getLogger(__name__)


class StorageAway(Exception):
    """Pictures or weights cannot be read for now; nothing is wrong with them."""


class Work:
    """What was claimed, on its way through the network in calls of `max_batch` images.

    While a GPU computes one call, threads decode for the next. On a CPU each thread of the worker
    decodes for itself, since there are as many as cores.
    """

    def __init__(self, rows: Sequence[Prediction], model: LoadedModel, read: Reading) -> None:
        self.seconds = 0.0  # in the network
        self.images = 0  # that went through it
        self.storage_away: StorageAway | None = None
        self._rows = rows
        self._model = model
        self._read = read

    def outcomes(self) -> list[Outcome]:
        """What became of the rows; those of a storage in trouble are left out."""
        outcomes = []
        decoded = self._decoded()
        while call := list(itertools.islice(decoded, self._model.engine.max_batch)):
            images = {row: got for row, got in call if isinstance(got, np.ndarray)}
            outcomes += [
                Outcome(row.id, error_code="undecodable", error_detail=str(got))
                for row, got in call
                if isinstance(got, UndecodableImage)
            ]
            if images:
                outcomes += self._infer(images)
        return outcomes

    def _decoded(self) -> Iterator[tuple[Prediction, np.ndarray | Exception]]:
        results: Iterable[np.ndarray | Exception]
        if self._model.engine.device == "cpu":  # where more threads than cores only get in the way
            results = map(self._decode, self._rows)
        else:
            results = decoders.map(self._decode, self._rows)
        for row, result in zip(self._rows, results, strict=True):
            if isinstance(result, StorageAway):
                self.storage_away = result
            yield row, result

    def _infer(self, images: dict[Prediction, np.ndarray]) -> list[Outcome]:
        """One call of the network."""
        begun = time.perf_counter()
        logits = self._model.logits(np.stack(list(images.values())))
        self.seconds += time.perf_counter() - begun
        self.images += len(images)
        labels = self._model.spec.labels
        read = self._read(logits, labels)
        asked = [kept_labels(row.top_k) for row in images]
        outputs = top_labels_of_each(read.probabilities, labels, asked)
        return [
            Outcome(
                row.id,
                output,
                probabilities=_kept(row, scores),
                label_set=label_set,
                doubt=doubt,
            )
            for row, output, scores, label_set, doubt in zip(
                images, outputs, read.probabilities, read.label_sets, read.doubts, strict=True
            )
        ]

    def _decode(self, row: Prediction) -> np.ndarray | Exception:
        """The pixels of one picture, or why there are none: it stops nobody else's."""
        try:
            with reading_storage(trouble=Exception), row.image.file.open() as file:
                content = file.read()
            return preprocess(content, self._model.spec)
        except Exception as error:
            logger.warning("the image of %s: %s: %s", row.id, type(error).__name__, error)
            return error


def _kept(row: Prediction, scores: np.ndarray) -> bytes | None:
    """All probabilities (classes,), where they were asked for."""
    return scores.astype("<f4").tobytes() if row.keeps_probabilities else None


@contextmanager
def reading_storage(trouble: type[Exception]) -> Iterator[None]:
    """Tell a storage in trouble, which passes, from a file that is not there, which does not."""
    try:
        yield
    except FileNotFoundError:
        raise
    except trouble as error:
        raise StorageAway(str(error)) from error
