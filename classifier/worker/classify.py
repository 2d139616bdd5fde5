"""The task behind the bell `classify`: claim, decode, infer, settle, until nothing waits."""

import itertools
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from celery import shared_task
from celery.signals import worker_init

from classifier.actions.claim import Claim, claim
from classifier.actions.recall import kept_labels
from classifier.actions.settle import Outcome, hand_back, release, settle
from classifier.bells import CLASSIFY, hear, ring, ring_by_message
from classifier.ml.engines import use_one_thread_per_call
from classifier.ml.inference import top_labels_of_each
from classifier.ml.preprocess import UndecodableImage, preprocess
from classifier.models import ModelVersion, Prediction
from classifier.worker.leases import held
from classifier.worker.lobby import lobby
from classifier.worker.reading import Reading, reading_of
from classifier.worker.runtime import LoadedModel, claim_sizes, decoders, loaded
from classifier.worker.stopping import stopping

logger = logging.getLogger(__name__)

TURN_SECONDS = 30.0  # after which a thread lets other tasks have it
UNKNOWN_CLAIM = 8  # images to claim at first of a version that is not in memory yet


class StorageAway(Exception):
    """Pictures or weights cannot be read for now; nothing is wrong with them."""


@worker_init.connect
def get_ready(**_: object) -> None:
    """Have the network in memory before the worker says that it is ready."""
    use_one_thread_per_call()  # the worker's own threads are as many as there are cores
    try:
        version = ModelVersion.objects.serving()
        loaded(version)
        logger.info("%s is loaded", version)
    except ModelVersion.DoesNotExist:
        logger.warning("no model is activated yet; `manage.py models install everyday` helps")
    lobby.open()


@shared_task(name="classify_waiting")
def classify_waiting() -> None:
    """Drain the queue, and stay a moment for what may come next.

    A warm shutdown stops it after the batch in hand, and so does a storage that does not answer:
    the sweep rings again.
    """
    hear(CLASSIFY)
    until = time.monotonic() + TURN_SECONDS
    while not stopping():
        if time.monotonic() > until:
            ring_by_message(CLASSIFY)  # behind what else this worker is to do
            return
        calls, sizes = lobby.calls, claim_sizes()
        claimed = claim(UNKNOWN_CLAIM, sizes)
        if claimed is None:
            if lobby.stay(calls):
                continue
            return
        if len(claimed.predictions) == sizes.get(claimed.model_version.pk, UNKNOWN_CLAIM):
            ring(CLASSIFY)  # more may wait than one thread can take: wake another
        try:
            classify_claimed(claimed)
        except StorageAway as error:
            logger.warning("the storage does not answer, the sweep tries again: %s", error)
            return


def classify_claimed(claimed: Claim) -> None:
    """Work on a claim; whatever cannot be settled is given back for another attempt, alone.

    Raises:
        StorageAway: if that is why, in which case no attempt is counted.
    """
    try:
        with held(claimed.lease):
            _settle_batch(claimed, _loaded(claimed.model_version))
    except StorageAway:
        hand_back(claimed.lease)
        raise
    except Exception as error:
        logger.exception("a batch of %s failed", claimed.model_version)
        release(claimed.lease, f"The model could not process the image ({type(error).__name__}).")


def _loaded(version: ModelVersion) -> LoadedModel:
    with _reading(trouble=OSError):  # whatever else goes wrong is the model's own fault
        return loaded(version)


def _settle_batch(claimed: Claim, model: LoadedModel) -> None:
    work = Work(claimed.predictions, model, reading_of(claimed.model_version.calibration))
    outcomes = work.outcomes()
    settle(claimed.lease, outcomes, work.seconds, work.images, model.variant)
    if work.storage_away:
        raise work.storage_away
    if len(outcomes) < len(claimed.predictions):
        release(claimed.lease, "The stored picture could not be read.")


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
            with _reading(trouble=Exception), row.image.file.open() as file:
                content = file.read()
            return preprocess(content, self._model.spec)
        except Exception as error:
            logger.warning("prediction %s: %s: %s", row.id, type(error).__name__, error)
            return error


def _kept(row: Prediction, scores: np.ndarray) -> bytes | None:
    """All probabilities (classes,), where they were asked for."""
    return scores.astype("<f4").tobytes() if row.keeps_probabilities else None


@contextmanager
def _reading(trouble: type[Exception]) -> Iterator[None]:
    """Tell a storage in trouble, which passes, from a file that is not there, which does not."""
    try:
        yield
    except FileNotFoundError:
        raise
    except trouble as error:
        raise StorageAway(str(error)) from error
