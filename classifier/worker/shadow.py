"""The challenger at work: on what the champion has answered, while nobody waits for anything.

Nothing here is owed to anybody: what goes wrong is logged, and the champion's work goes on. One
thread of a process does it at a time, so that the others are there for whatever comes in.
"""

import functools
import logging
import random
import threading
import time

from django.conf import settings

from classifier.actions.claim import Claim
from classifier.actions.shadow import (
    Seen,
    cast_shadows,
    challengers,
    claim_shadows,
    hand_back_shadows,
    settle_shadows,
)
from classifier.ml.reading import reading_of
from classifier.models import ModelVersion, Shadow
from classifier.worker.leases import held
from classifier.worker.runtime import claim_sizes, loaded
from classifier.worker.work import StorageAway, Work, reading_storage

logger = logging.getLogger(__name__)

KNOWN_SECONDS = 5  # in which a process does not look again who challenges whom
PAUSE_SECONDS = 60  # after which a challenger is tried again that failed
MOST_CLAIMED = 8  # images: what comes in meanwhile may have to wait for them

_answering = threading.Lock()
_not_before: dict[int, float] = {}  # by a challenger's key, when it may be tried again


def cast(claimed: Claim) -> None:
    """Owe a challenger's answers to a share of what its champion has just answered."""
    try:
        challenger = _challengers().get(claimed.model_version.pk)
        if challenger is None:
            return
        share = settings.SHADOW_SHARE
        chosen = [row.id for row in claimed.predictions if random.random() < share]  # noqa: S311
        if chosen:
            cast_shadows(challenger, chosen)
    except Exception:
        logger.exception("nothing is asked of the challenger of %s", claimed.model_version)


def answer_shadows() -> bool:
    """Let a challenger answer a batch of what waits for it. False if none did."""
    if not _answering.acquire(blocking=False):
        return False
    try:
        return any(_answer(challenger) for challenger in _ready())
    except Exception:
        logger.exception("no challenger is asked for now")
        return False
    finally:
        _answering.release()


def _ready() -> list[ModelVersion]:
    """The challengers for which something waits, and that did not fail a moment ago."""
    now = time.monotonic()
    found = [one for one in _challengers().values() if now >= _not_before.get(one.pk, now)]
    return [one for one in found if Shadow.objects.waiting().filter(model_version=one).exists()]


def _answer(challenger: ModelVersion) -> bool:
    lease, shadows = claim_shadows(challenger, MOST_CLAIMED)
    others = claim_sizes().keys() - {challenger.pk}
    try:
        with held(lease):
            settle_shadows(lease, _seen(challenger, shadows))
    except StorageAway as error:
        logger.warning("the storage does not answer, %s waits: %s", challenger, error)
        hand_back_shadows(lease)
    except Exception:
        logger.exception("the challenger %s failed", challenger)
        settle_shadows(lease, ())
    else:
        if others <= claim_sizes().keys():
            return True
        logger.warning("%s left no room in memory; SIGHTLINE_MODEL_MEMORY_BYTES", challenger)
    _not_before[challenger.pk] = time.monotonic() + PAUSE_SECONDS
    return False


def _seen(challenger: ModelVersion, shadows: list[Shadow]) -> list[Seen]:
    with reading_storage(trouble=OSError):
        model = loaded(challenger)
    work = Work([one.prediction for one in shadows], model, reading_of(challenger.calibration))
    answers = {outcome.prediction_id: outcome.output for outcome in work.outcomes()}
    if work.storage_away:
        raise work.storage_away
    answered = [(one, answers.get(one.prediction_id)) for one in shadows]
    return [
        Seen(one.pk, str(output[0]["label"]), float(output[0]["score"]))
        for one, output in answered
        if output
    ]


def _challengers() -> dict[int, ModelVersion]:
    return _challengers_at(int(time.monotonic() / KNOWN_SECONDS))


@functools.lru_cache(maxsize=1)
def _challengers_at(_moment: int) -> dict[int, ModelVersion]:
    return challengers()
