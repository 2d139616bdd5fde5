"""Write what a worker found, if the predictions are still its own."""

import json
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

from classifier.actions.announce import announce_ended
from classifier.models import Prediction, Status
from classifier.models.owed import FREE

Output = list[dict[str, str | float]]

ROW_COLUMNS = {  # what differs from row to row, and PostgreSQL's types
    "id": "uuid",
    "status": "text",
    "output": "jsonb",
    "top_label": "text",
    "top_score": "double precision",
    "label_set": "jsonb",
    "doubt": "text",
    "error_code": "text",
    "error_detail": "text",
}


@dataclass(frozen=True)
class Outcome:
    """What became of one prediction: an output, best label first, or an error.

    `probabilities` are those of all classes, as little-endian float32, where they are to be kept.
    Where the model is calibrated, the `label_set` holds the truth as often as was promised, and the
    `doubt` is one of `Doubt` where the best label is a guess.
    """

    prediction_id: uuid.UUID
    output: Output | None = None
    error_code: str = ""
    error_detail: str = ""
    probabilities: bytes | None = None
    label_set: Sequence[str] | None = None
    doubt: str = ""


def settle(
    lease: uuid.UUID,
    outcomes: Sequence[Outcome],
    inference_seconds: float,
    batch_size: int,
    variant: str = "",
) -> int:
    """Write all outcomes of a batch in one statement and give the lease up.

    A row whose lease is no longer this one was taken back or deleted meanwhile: it is left as it
    is. So a result lands once, whoever comes late.

    Args:
        lease: the claim's lease.
        outcomes: one for each prediction that is done.
        inference_seconds: the network's time for the whole batch.
        batch_size: how many images were in that batch.
        variant: what computed it, as "onnxruntime int8".

    Returns:
        How many rows were written.
    """
    if not outcomes:
        return 0
    shared = {
        "batch_size": batch_size,
        "inference_seconds": inference_seconds,
        "variant": variant,
        "completed_at": timezone.now(),
        "lease": None,
        "lease_expires_at": None,
    }
    with transaction.atomic():
        settled = _update_leased(lease, outcomes, shared)
        _keep_probabilities(outcomes, settled)
        announce_ended(settled.keys(), set(settled.values()))
    return len(settled)


def release(lease: uuid.UUID, error_detail: str) -> int:
    """Give a batch back that could not be worked on; the sweep queues it again after a pause.

    The reason is kept, for the case that it becomes the last one. Returns how many rows.
    """
    return Prediction.objects.leased(lease).update(
        lease_expires_at=timezone.now() + timedelta(seconds=settings.RETRY_SECONDS),
        error_detail=error_detail,
    )


def hand_back(lease: uuid.UUID) -> int:
    """Put what is left of a claim back as if it had not been made.

    For trouble that is not the pictures' own, such as a storage that does not answer: no attempt is
    counted, so that no outage fails a backlog. Returns how many rows.
    """
    return Prediction.objects.leased(lease).update(
        status=Status.QUEUED, attempts=models.F("attempts") - 1, **FREE
    )


def _columns(outcome: Outcome) -> dict[str, Any]:
    """What differs from row to row, in the order of ROW_COLUMNS."""
    best = outcome.output[0] if outcome.output else {"label": "", "score": None}
    return {
        "id": outcome.prediction_id.hex,
        "status": Status.FAILED if outcome.output is None else Status.SUCCEEDED,
        "output": outcome.output,
        "top_label": best["label"],
        "top_score": best["score"],
        "label_set": outcome.label_set,
        "doubt": outcome.doubt,
        "error_code": outcome.error_code,
        "error_detail": outcome.error_detail,
    }


def _update_leased(
    lease: uuid.UUID, outcomes: Sequence[Outcome], shared: dict[str, Any]
) -> dict[uuid.UUID, int]:
    """One `UPDATE … FROM` a list of rows, which both databases know and the ORM does not.

    `bulk_update` writes a CASE for every column, and costs several times as much. Returns the rows
    that were written, each with its owner.
    """
    table = Prediction._meta.db_table
    common = [_field(name) for name in shared]
    assignments = [
        *(f'"{name}" = v."{name}"' for name in ROW_COLUMNS if name != "id"),
        *(f'"{field.column}" = %s' for field in common),
    ]
    rows, row_parameters = _rows([_columns(outcome) for outcome in outcomes])
    sql = (  # nothing of it comes from outside: names of columns and placeholders
        f'UPDATE "{table}" SET {", ".join(assignments)} FROM {rows} AS v '  # noqa: S608
        f'WHERE "{table}"."id" = v."id" AND "{table}"."lease" = %s AND "{table}"."status" = %s '
        f'RETURNING "{table}"."id", "{table}"."owner_id"'
    )
    parameters = [
        *(field.get_db_prep_save(shared[field.name], connection) for field in common),
        *row_parameters,
        _field("lease").get_db_prep_value(lease, connection),
        Status.RUNNING,
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return {uuid.UUID(str(key)): owner for key, owner in cursor.fetchall()}


def _rows(rows: list[dict[str, Any]]) -> tuple[str, list[Any]]:
    """A table of ROW_COLUMNS in SQL, and its parameters.

    To PostgreSQL they go as one text in JSON, since its driver takes long lists of parameters apart
    at a cost; SQLite would read that text anew for each column.
    """
    if connection.vendor == "postgresql":
        columns = ", ".join(f'"{name}" {kind}' for name, kind in ROW_COLUMNS.items())
        return f"ROWS FROM (jsonb_to_recordset(%s::jsonb) AS ({columns}))", [
            json.dumps(rows, allow_nan=False)
        ]
    names = ", ".join(f'column{i} AS "{name}"' for i, name in enumerate(ROW_COLUMNS, start=1))
    placeholders = "(" + ", ".join(["%s"] * len(ROW_COLUMNS)) + ")"
    values = ", ".join([placeholders] * len(rows))
    parameters = [
        _json(value) if ROW_COLUMNS[name] == "jsonb" else value
        for row in rows
        for name, value in row.items()
    ]
    return f"(SELECT {names} FROM (VALUES {values}))", parameters  # noqa: S608 - placeholders


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, allow_nan=False)


def _keep_probabilities(outcomes: Iterable[Outcome], settled: Collection[uuid.UUID]) -> None:
    """Seldom asked for, and no text: a statement for each."""
    for outcome in outcomes:
        if outcome.probabilities is not None and outcome.prediction_id in settled:
            row = Prediction.objects.filter(id=outcome.prediction_id)
            row.update(probabilities=outcome.probabilities)


def _field(name: str) -> "models.Field[Any, Any]":
    return cast("models.Field[Any, Any]", Prediction._meta.get_field(name))
