"""What can be said of the queue: who is where in it, and how long it takes."""

import functools
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import connection

from classifier.models import Prediction, Status

# Beyond this many waiting rows nobody needs their exact place, and counting them would cost.
COUNTED_PLACES = 200
REMEMBERED = 100  # the latest answers, from which the time for the next is estimated
PACE_KEPT_SECONDS = 1  # in which a process does not look again


@dataclass(frozen=True)
class Turn:
    """Where a prediction stands: its place, from 1, and in how many seconds it may be answered.

    None where it is far back, or where nothing was answered yet to judge by.
    """

    place: int | None
    seconds: float | None


def turns(predictions: Iterable[Prediction]) -> dict[uuid.UUID, Turn]:
    """The turns of those among them that wait, with one query, and now and then a second."""
    waiting = [row for row in predictions if row.status == Status.QUEUED]
    if not waiting:
        return {}
    where: Mapping[uuid.UUID, int | None]
    where = {waiting[0].id: place(waiting[0])} if len(waiting) == 1 else places()
    return {row.id: turn_at(where.get(row.id)) for row in waiting}


def turn_at(place: int | None) -> Turn:
    """The turn of whoever has this place; None is far back."""
    pace = _pace(int(time.monotonic() / PACE_KEPT_SECONDS))
    return Turn(place, round(place * pace, 3) if place and pace is not None else None)


def place(prediction: Prediction) -> int | None:
    """The place of a waiting prediction, from 1; None if it is far back."""
    meta = Prediction._meta
    key = meta.pk.get_db_prep_value(prediction.id, connection)
    # Every upload asks this, and the ORM takes ten times as long to put it into words.
    sql = (  # nothing of it comes from outside
        f'SELECT COUNT(*) FROM (SELECT 1 FROM "{meta.db_table}" WHERE "status" = %s '  # noqa: S608
        'AND ("priority" > %s OR ("priority" = %s AND "id" < %s)) LIMIT %s) AS sooner'
    )
    parameters = [Status.QUEUED, prediction.priority, prediction.priority, key, COUNTED_PLACES]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        [before] = cursor.fetchone()
    return before + 1 if before < COUNTED_PLACES else None


def places() -> dict[uuid.UUID, int]:
    """The first waiting predictions, each with its place, from 1."""
    waiting = Prediction.objects.in_turn().values_list("id", flat=True)
    return {key: place for place, key in enumerate(waiting[:COUNTED_PLACES], start=1)}


def seconds_per_image() -> float | None:
    """How long an image took of late, its batch's time shared out; None where none was answered.

    Several workers or threads share the queue, so that the real time is rather shorter.
    """
    answered = Prediction.objects.filter(status=Status.SUCCEEDED, cached=False)
    latest = answered.order_by("-id")[:REMEMBERED]
    rows = latest.values_list("started_at", "completed_at", "batch_size")
    shares = [
        (ended - begun).total_seconds() / max(size or 1, 1)
        for begun, ended, size in rows
        if begun and ended
    ]
    return sum(shares) / len(shares) if shares else None


@functools.lru_cache(maxsize=1)
def _pace(_moment: int) -> float | None:
    return seconds_per_image()
