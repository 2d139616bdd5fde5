"""The task behind the bell `evaluate`: claim, and have a process of its own do the work.

A data set takes minutes, in which predictions must not wait for a thread nor share one's memory;
so the child is a polite one, and whatever happens to it happens to nobody else.
"""

import logging
import os
import subprocess
import sys
import threading
from tempfile import TemporaryDirectory, TemporaryFile

from celery import shared_task
from django.conf import settings
from django.db import DatabaseError, close_old_connections

from classifier.actions.evaluations import (
    claim_evaluation,
    fail_evaluation,
    hand_back_evaluation,
    is_settled,
    renew_evaluation,
)
from classifier.bells import EVALUATE, hear
from classifier.models import Evaluation
from classifier.worker.stopping import stopping

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1  # between two looks at the child

_at_work = threading.Lock()


@shared_task(name="evaluate_waiting")
def evaluate_waiting() -> None:
    """Start draining, unless this process does already."""
    hear(EVALUATE)
    if _at_work.acquire(blocking=False):
        threading.Thread(target=_drain, name="evaluate").start()


def _drain() -> None:
    try:
        while not stopping() and (evaluation := claim_evaluation()):
            work_on(evaluation)
    except Exception:
        logger.exception("an evaluation was left behind, the sweep tries again")
    finally:
        _at_work.release()
        close_old_connections()


def work_on(evaluation: Evaluation) -> None:
    """See a claimed evaluation through, or hand it back where this worker is asked to stop."""
    assert evaluation.lease is not None
    # What a child that is ended leaves behind, perhaps people's pictures, goes with its folder.
    with TemporaryDirectory() as folder, TemporaryFile("w+", errors="replace") as said:
        child = subprocess.Popen(  # noqa: S603 - our own command, and the arguments as they are
            _command(evaluation),
            cwd=settings.BASE_DIR,
            env={**os.environ, "TMPDIR": folder},
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        try:
            while not _has_ended(child):
                if stopping() or not _is_ours(evaluation):
                    child.terminate()
        finally:
            child.kill()
            child.wait()
        said.seek(0)
        lines = said.read().strip().splitlines()
    if stopping():
        hand_back_evaluation(evaluation.lease)
    elif child.returncode:
        last = lines[-1].removeprefix("CommandError: ") if lines else ""
        reason = last or f"It ended with the exit code {child.returncode}."
        logger.warning("%s: %s", evaluation, reason)
        fail_evaluation(evaluation.lease, reason)


def _is_ours(evaluation: Evaluation) -> bool:
    """Renew the lease; a database that is away says nothing against it."""
    assert evaluation.lease is not None
    try:
        return renew_evaluation(evaluation.lease) or is_settled(evaluation)
    except DatabaseError as error:
        logger.warning("the lease of %s could not be renewed: %s", evaluation.id, error)
        close_old_connections()
        return True


def _has_ended(child: "subprocess.Popen[bytes]") -> bool:
    try:
        child.wait(LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _command(evaluation: Evaluation) -> list[str]:
    evaluate = [sys.executable, "manage.py", "evaluate", str(evaluation.model_version)]
    data = ["--data", evaluation.location] if evaluation.location else ["--reviewed"]
    return ["nice", *evaluate, *data, "--lease", str(evaluation.lease)]
