"""Rows as the API shows them.

Plain dictionaries, because a page of them takes a tenth of what serializers take. The classes in
serializers.py describe the same for the schema; a test holds the two together.
"""

import functools
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse
from rest_framework.request import Request

from classifier.models import Batch, Image, Prediction, Priority, Review, Status
from classifier.queries.batches import Progress, progress_of
from classifier.queries.queue import Turn, turns

Object = dict[str, Any]
ENDED = (Status.SUCCEEDED, Status.FAILED, Status.CANCELED)
PRIORITY_NAMES = {int(priority): priority.name.lower() for priority in Priority}


def show_prediction(request: Request, row: Prediction) -> Object:
    """One prediction, with its turn in the queue if it waits: a query then, and none otherwise."""
    return _prediction(row, base_url(request), turns([row]).get(row.id))


def show_predictions(request: Request, rows: Iterable[Prediction]) -> list[Object]:
    """Several, with one query for all their turns."""
    rows = list(rows)
    base, where = base_url(request), turns(rows)
    return [_prediction(row, base, where.get(row.id)) for row in rows]


def show_batches(request: Request, batches: Iterable[Batch]) -> list[Object]:
    """How far each batch is."""
    batches = list(batches)
    base, progress = base_url(request), progress_of(batches)
    return [_batch(batch, base, progress[batch.id]) for batch in batches]


def show_items(request: Request, batch: Batch, rows: Iterable[Prediction]) -> list[Object]:
    """What became of each image of a batch, in the order in which they were sent."""
    rows = list(rows)
    shown = zip(rows, show_predictions(request, rows), strict=True)
    items = [
        {
            "index": row.batch_index,
            "name": batch.names[row.batch_index or 0],
            "status": "accepted",
            "prediction": prediction,
            "error": None,
        }
        for row, prediction in shown
    ]
    for refusal in batch.refused:
        items.append(
            {
                "index": refusal["index"],
                "name": refusal["name"],
                "status": "refused",
                "prediction": None,
                "error": {"code": refusal["code"], "detail": refusal["detail"]},
            }
        )
    return sorted(items, key=lambda item: item["index"])


def show_review(review: Review) -> Object:
    """A person's verdict."""
    return {
        "prediction": str(review.prediction_id),
        "verdict": review.verdict,
        "label": review.label,
        "reviewer": review.reviewer.get_username() if review.reviewer else None,
        "reviewed_at": show_time(review.reviewed_at),
    }


def show_time(moment: datetime | None) -> str | None:
    """A time as ISO 8601 has it, in UTC, as all our times are."""
    return moment.isoformat(timespec="microseconds")[:-6] + "Z" if moment else None


def base_url(request: Request) -> str:
    """Where the API is, as the caller sees it."""
    return str(request.build_absolute_uri(_base_path()))


@functools.cache
def _base_path() -> str:
    return reverse("api:predictions").removesuffix("predictions/")


def _prediction(row: Prediction, base: str, turn: Turn | None) -> Object:
    version = row.model_version
    return {
        "id": str(row.id),
        "model": version.name,
        "version": version.version,
        "status": row.status,
        "input": {"image": _image(row.image)},
        "output": row.answer,
        "label_set": row.label_set,
        "abstained": row.abstained,
        "doubt": row.doubt or None,
        "error": _error(row),
        "metrics": {
            "queue_time": row.waiting_seconds,
            "predict_time": row.inference_seconds,
            "total_time": row.total_seconds,
            "batch_size": row.batch_size,
            "engine": row.variant.partition(" ")[0] or version.engine,
            "variant": row.variant or None,
            "cached": row.cached,
        },
        "queue": {"position": turn.place, "eta_seconds": turn.seconds} if turn else None,
        "created_at": show_time(row.created_at),
        "started_at": show_time(row.started_at),
        "completed_at": show_time(row.completed_at),
        "expires_at": show_time(row.expires_at),
        "priority": PRIORITY_NAMES[row.priority],
        "source": row.source,
        "batch": str(row.batch_id) if row.batch_id else None,
        "metadata": row.metadata,
        "urls": _urls(row, base),
    }


def _batch(batch: Batch, base: str, progress: Progress) -> Object:
    statuses, refused = progress.statuses, len(batch.refused)
    ended = refused + sum(statuses[status] for status in ENDED)
    there = refused + statuses.total()  # without those that were deleted
    url = f"{base}batches/{batch.id}/"
    return {
        "id": str(batch.id),
        "size": batch.size,
        "counts": {**{status.value: statuses[status] for status in Status}, "refused": refused},
        "progress": round(ended / there, 4) if there else 1.0,
        "eta_seconds": progress.last_turn and progress.last_turn.seconds,
        "created_at": show_time(batch.created_at),
        "urls": {"get": url, "results": f"{url}results/", "cancel": f"{url}cancel/"},
    }


def _image(image: Image) -> Object:
    return {
        "id": str(image.id),
        "name": image.original_name,
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "bytes": image.bytes,
        "sha256": image.sha256,
    }


def _error(row: Prediction) -> Mapping[str, str] | None:
    """Only of one that failed: a reason is kept also of an attempt that is made again."""
    if row.status != Status.FAILED:
        return None
    return {"code": row.error_code, "detail": row.error_detail}


def _urls(row: Prediction, base: str) -> Object:
    url = f"{base}predictions/{row.id}/"
    return {
        "get": url,
        "cancel": f"{url}cancel/",
        "image": f"{url}image/",
        "batch": f"{base}batches/{row.batch_id}/" if row.batch_id else None,
    }
