"""The task behind the bell `classify`: claim, decode, infer, settle, until nothing waits."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from celery import shared_task
from celery.signals import worker_init

from classifier.actions.claim import Claim, claim
from classifier.actions.settle import Outcome, hand_back, release, settle
from classifier.bells import CLASSIFY, hear, ring
from classifier.ml.engines import max_batch, use_one_thread_per_call
from classifier.ml.inference import top_labels
from classifier.ml.preprocess import UndecodableImage, preprocess
from classifier.ml.spec import ModelSpec
from classifier.models import ModelVersion, Prediction
from classifier.worker.leases import held
from classifier.worker.runtime import LoadedModel, decoders, loaded
from classifier.worker.stopping import stopping

logger = logging.getLogger(__name__)

KEPT_LABELS = 10  # of a network's classes, the best that a prediction keeps at least


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


@shared_task(name="classify_waiting")
def classify_waiting() -> None:
    """Drain the queue.

    A warm shutdown stops it after the batch in hand, and so does a storage that does not answer:
    the sweep rings again.
    """
    hear(CLASSIFY)
    size = max_batch()
    while not stopping() and (claimed := claim(size)):
        if len(claimed.predictions) == size:
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
    decoded = list(decoders.map(lambda row: _decode(row, model), claimed.predictions))
    pairs = list(zip(claimed.predictions, decoded, strict=True))
    refused = [
        Outcome(row.id, error_code="undecodable", error_detail=str(result))
        for row, result in pairs
        if isinstance(result, UndecodableImage)
    ]
    images = {row: result for row, result in pairs if isinstance(result, torch.Tensor)}
    outcomes, seconds = _infer(images, model)
    settle(claimed.lease, refused + outcomes, seconds, len(images))
    for result in decoded:
        if isinstance(result, StorageAway):
            raise result
    if len(refused) + len(outcomes) < len(pairs):
        release(claimed.lease, "The stored picture could not be read.")


def _decode(row: Prediction, model: LoadedModel) -> torch.Tensor | Exception:
    """The network's input for one prediction, or why there is none: it stops nobody else's."""
    try:
        with _reading(trouble=Exception), row.image.file.open() as file:
            content = file.read()
        return preprocess(content, model.spec)
    except Exception as error:
        logger.warning("prediction %s: %s: %s", row.id, type(error).__name__, error)
        return error


@contextmanager
def _reading(trouble: type[Exception]) -> Iterator[None]:
    """Tell a storage in trouble, which passes, from a file that is not there, which does not."""
    try:
        yield
    except FileNotFoundError:
        raise
    except trouble as error:
        raise StorageAway(str(error)) from error


def _infer(
    images: dict[Prediction, torch.Tensor], model: LoadedModel
) -> tuple[list[Outcome], float]:
    """One forward pass. Returns the outcomes and the seconds that the network took."""
    if not images:
        return [], 0.0
    begun = time.perf_counter()
    probabilities = model.engine.predict(torch.stack(list(images.values())))
    seconds = time.perf_counter() - begun
    return [
        _outcome(row, scores, model.spec) for row, scores in zip(images, probabilities, strict=True)
    ], seconds


def _outcome(row: Prediction, scores: torch.Tensor, spec: ModelSpec) -> Outcome:
    """What is kept of the probabilities (classes,): the best labels, and all where asked for."""
    best = top_labels(scores, spec.labels, max(KEPT_LABELS, row.top_k or 0))
    kept = scores.numpy().astype("<f4").tobytes() if row.keeps_probabilities else None
    return Outcome(row.id, best, probabilities=kept)
