"""Owe an evaluation, work on it under a lease, and keep its report."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import models, transaction
from django.utils import timezone

from classifier.bells import EVALUATE, ring_on_commit
from classifier.images import render
from classifier.models import Evaluation, ModelVersion, Status, User
from classifier.models.owed import FREE, lease_expiry

THUMBNAIL = 256  # pixels of the longer side
GAVE_UP = "Every worker that took it stopped before it was done."


@dataclass(frozen=True)
class Mistake:
    """An image on which the model is wrong, and how sure it is of that."""

    path: Path
    truth: str
    guess: str
    score: float


@dataclass(frozen=True)
class NewReport:
    """What was found: the report, the answer to each image, and the worst mistakes."""

    dataset: str
    location: str
    fingerprint: str
    variant: str
    report: Mapping[str, Any]
    answers: Sequence[Sequence[Any]]  # of each image: digest, right label, best label, its score
    mistakes: Sequence[Mistake] = ()


def keep_evaluation(version: ModelVersion, found: NewReport) -> Evaluation:
    """Keep what a command has found, as an evaluation that is done."""
    now = timezone.now()
    evaluation = Evaluation(
        model_version=version,
        dataset=found.dataset,
        location=found.location,
        started_at=now,
    )
    for name, value in _result(evaluation.id, found).items():
        setattr(evaluation, name, value)
    evaluation.save(force_insert=True)
    return evaluation


def request_evaluation(
    version: ModelVersion, dataset: str, location: str, by: User | None
) -> Evaluation:
    """Owe an evaluation of a data set that the worker can read."""
    with transaction.atomic():
        evaluation = Evaluation.objects.create(
            model_version=version, dataset=dataset, location=location, requested_by=by
        )
        ring_on_commit(EVALUATE)
    return evaluation


def claim_evaluation() -> Evaluation | None:
    """Lease the one that has waited longest; None where nothing waits."""
    with transaction.atomic():
        waiting = Evaluation.objects.light().waiting().order_by("id")
        evaluation = waiting.select_for_update(skip_locked=True, of=("self",)).first()
        if evaluation is None:
            return None
        evaluation.status = Status.RUNNING
        evaluation.attempts += 1
        evaluation.lease = uuid.uuid4()
        evaluation.lease_expires_at = lease_expiry()
        evaluation.started_at = timezone.now()
        evaluation.done = 0
        evaluation.save()
    return evaluation


def renew_evaluation(lease: uuid.UUID) -> bool:
    """Let the lease run on from now. False if it was taken away."""
    return Evaluation.objects.leased(lease).update(lease_expires_at=lease_expiry()) > 0


def note_progress(lease: uuid.UUID, done: int, total: int) -> bool:
    """Say how far it is, for whoever watches. False if it was not this lease's any more."""
    return Evaluation.objects.leased(lease).update(done=done, total=total) > 0


def settle_evaluation(lease: uuid.UUID, found: NewReport) -> bool:
    """Write the report. False if the evaluation was not this lease's any more."""
    key = Evaluation.objects.leased(lease).values_list("id", flat=True).first()
    return key is not None and _end(lease, **_result(key, found))


def is_settled(evaluation: Evaluation) -> bool:
    """Whether its report is written by now."""
    return Evaluation.objects.finished().filter(id=evaluation.id).exists()


def fail_evaluation(lease: uuid.UUID, reason: str) -> bool:
    """End it without a report. False if it was not this lease's any more."""
    return _end(lease, status=Status.FAILED, error_detail=reason, completed_at=timezone.now())


def hand_back_evaluation(lease: uuid.UUID) -> None:
    """Let another worker take it, as if it had not been claimed."""
    _end(lease, status=Status.QUEUED, attempts=models.F("attempts") - 1)


def sweep_evaluations() -> bool:
    """Take back those of dead workers. Returns whether any waits."""
    lapsed = Evaluation.objects.lapsed()
    lapsed.filter(attempts__gte=settings.MAX_ATTEMPTS).update(
        status=Status.FAILED, error_detail=GAVE_UP, completed_at=timezone.now(), **FREE
    )
    lapsed.update(status=Status.QUEUED, **FREE)
    return Evaluation.objects.waiting().exists()


def delete_evaluation(evaluation: Evaluation) -> None:
    """Delete it with its pictures."""
    for mistake in evaluation.figures.get("mistakes", []):
        transaction.on_commit(partial(default_storage.delete, mistake["picture"]))
    evaluation.delete()


def _result(key: uuid.UUID, found: NewReport) -> dict[str, Any]:
    mistakes = [
        {
            "picture": _thumbnail(key, number, mistake.path),
            "truth": mistake.truth,
            "guess": mistake.guess,
            "score": mistake.score,
        }
        for number, mistake in enumerate(found.mistakes)
    ]
    return {
        "status": Status.SUCCEEDED,
        "fingerprint": found.fingerprint,
        "variant": found.variant,
        "report": {**found.report, "mistakes": mistakes},
        "answers": list(found.answers),
        "done": len(found.answers),
        "total": len(found.answers),
        "completed_at": timezone.now(),
    }


def _thumbnail(key: uuid.UUID, number: int, path: Path) -> str:
    content = ContentFile(render(path.read_bytes(), THUMBNAIL))
    return default_storage.save(f"evaluations/{key.hex}/{number}.webp", content)


def _end(lease: uuid.UUID, **values: Any) -> bool:
    return Evaluation.objects.leased(lease).update(**FREE, **values) > 0
