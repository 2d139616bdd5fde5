"""The task behind the bell `classify`: claim, decode, infer, settle, until nothing waits."""

import logging
import time

from celery import shared_task
from celery.signals import worker_init
from django.conf import settings

from classifier.actions.claim import Claim, claim
from classifier.actions.settle import hand_back, release, settle
from classifier.bells import CLASSIFY, hear, ring, ring_by_message
from classifier.ml.engines import share_cores
from classifier.ml.machine import cores
from classifier.ml.reading import reading_of
from classifier.models import ModelVersion
from classifier.worker.leases import held
from classifier.worker.lobby import lobby
from classifier.worker.runtime import LoadedModel, claim_sizes, loaded
from classifier.worker.shadow import answer_shadows, cast
from classifier.worker.stopping import stopping
from classifier.worker.work import StorageAway, Work, reading_storage

logger = logging.getLogger(__name__)

TURN_SECONDS = 30.0  # after which a thread lets other tasks have it
UNKNOWN_CLAIM = 8  # images to claim at first of a version that is not in memory yet


@worker_init.connect
def get_ready(**_: object) -> None:
    """Have the network in memory before the worker says that it is ready."""
    share_cores(settings.WORKER_THREADS or cores())
    try:
        version = ModelVersion.objects.serving()
        loaded(version)
        logger.info("%s is loaded", version)
    except ModelVersion.DoesNotExist:
        logger.warning("no model is activated yet; `manage.py models install everyday` helps")
    finally:  # of whatever else is raised Celery makes a line in the log, and the worker works
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
            if answer_shadows() or lobby.stay(calls):
                continue
            return
        if len(claimed.predictions) == sizes.get(claimed.model_version.pk, UNKNOWN_CLAIM):
            ring(CLASSIFY)  # more may wait than one thread can take: wake another
        try:
            classify_claimed(claimed)
        except StorageAway as error:
            logger.warning("the storage does not answer, the sweep tries again: %s", error)
            return
        cast(claimed)


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
    with reading_storage(trouble=OSError):  # whatever else goes wrong is the model's own fault
        return loaded(version)


def _settle_batch(claimed: Claim, model: LoadedModel) -> None:
    work = Work(claimed.predictions, model, reading_of(claimed.model_version.calibration))
    outcomes = work.outcomes()
    settle(claimed.lease, outcomes, work.seconds, work.images, model.variant)
    if work.storage_away:
        raise work.storage_away
    if len(outcomes) < len(claimed.predictions):
        release(claimed.lease, "The stored picture could not be read.")
