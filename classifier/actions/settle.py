"""Write what a worker found, if the predictions are still its own."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

from classifier.actions.announce import announce_ended
from classifier.models import Prediction, Status

Output = list[dict[str, str | float]]


@dataclass(frozen=True)
class Outcome:
    """What became of one prediction: an output, best label first, or an error.

    `probabilities` are those of all classes, as little-endian float32, where they are to be kept.
    """

    prediction_id: uuid.UUID
    output: Output | None = None
    error_code: str = ""
    error_detail: str = ""
    probabilities: bytes | None = None


def settle(
    lease: uuid.UUID, outcomes: Iterable[Outcome], inference_seconds: float, batch_size: int
) -> int:
    """Write all outcomes of a batch in one statement and give the lease up.

    A row whose lease is no longer this one was taken back or deleted meanwhile: it is left as it
    is. So a result lands once, whoever comes late.

    Args:
        lease: the claim's lease.
        outcomes: one for each prediction that is done.
        inference_seconds: the network's time for the whole batch.
        batch_size: how many images were in that batch.

    Returns:
        How many rows were written.
    """
    now = timezone.now()
    rows: list[dict[str, Any]] = [
        {
            "id": outcome.prediction_id,
            "status": Status.FAILED if outcome.output is None else Status.SUCCEEDED,
            "output": outcome.output,
            "probabilities": outcome.probabilities,
            "top_label": str(outcome.output[0]["label"]) if outcome.output else "",
            "top_score": outcome.output[0]["score"] if outcome.output else None,
            "error_code": outcome.error_code,
            "error_detail": outcome.error_detail,
            "batch_size": batch_size,
            "inference_seconds": inference_seconds,
            "completed_at": now,
            "lease": None,
            "lease_expires_at": None,
        }
        for outcome in outcomes
    ]
    if not rows:
        return 0
    with transaction.atomic():
        settled = _update_leased(lease, rows)
        announce_ended(settled)
    return len(settled)


def release(lease: uuid.UUID, error_detail: str) -> int:
    """Give a batch back that could not be worked on; the sweep queues it again after a pause.

    The reason is kept, for the case that it becomes the last one. Returns how many rows.
    """
    return Prediction.objects.filter(lease=lease, status=Status.RUNNING).update(
        lease_expires_at=timezone.now() + timedelta(seconds=settings.RETRY_SECONDS),
        error_detail=error_detail,
    )


def hand_back(lease: uuid.UUID) -> int:
    """Put what is left of a claim back as if it had not been made.

    For trouble that is not the pictures' own, such as a storage that does not answer: no attempt is
    counted, so that no outage fails a backlog. Returns how many rows.
    """
    return Prediction.objects.filter(lease=lease, status=Status.RUNNING).update(
        status=Status.QUEUED,
        attempts=models.F("attempts") - 1,
        lease=None,
        lease_expires_at=None,
    )


def _update_leased(lease: uuid.UUID, rows: list[dict[str, Any]]) -> list[uuid.UUID]:
    """`UPDATE … FROM (VALUES …)`, which both databases know and the ORM does not.

    `bulk_update` writes a CASE for every column, and costs several times as much. Returns the ids
    of the rows that were written.
    """
    meta = Prediction._meta
    fields = [cast("models.Field[Any, Any]", meta.get_field(name)) for name in rows[0]]
    values = [_value(position, field) for position, field in enumerate(fields, start=1)]
    assignments = ", ".join(
        f'"{field.column}" = {value}' for field, value in zip(fields[1:], values[1:], strict=True)
    )
    row_of_placeholders = "(" + ", ".join(["%s"] * len(fields)) + ")"
    sql = (  # nothing of it comes from outside: names of columns and placeholders
        f'UPDATE "{meta.db_table}" SET {assignments} '  # noqa: S608
        f"FROM (VALUES {', '.join([row_of_placeholders] * len(rows))}) AS v "
        f'WHERE "{meta.db_table}"."id" = {values[0]} '
        f'AND "{meta.db_table}"."lease" = %s AND "{meta.db_table}"."status" = %s '
        "RETURNING id"
    )
    parameters = [
        field.get_db_prep_save(row[field.name], connection) for row in rows for field in fields
    ]
    held = meta.get_field("lease").get_db_prep_value(lease, connection)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, held, Status.RUNNING])
        return [uuid.UUID(str(key)) for (key,) in cursor.fetchall()]


def _value(position: int, field: "models.Field[Any, Any]") -> str:
    """A column of VALUES; PostgreSQL has to be told of what type it is."""
    column = f"v.column{position}"
    if connection.vendor == "postgresql":
        return f"CAST({column} AS {field.db_type(connection)})"
    return column
