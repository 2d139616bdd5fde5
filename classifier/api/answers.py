"""What is answered once something was made: at once, or when it has ended."""

import math
from typing import Any

from django.db import models
from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.preferences import parse_prefer, wait_as_preferred
from classifier.api.representations import Object, show_batches, show_items, show_prediction
from classifier.models import Batch, Prediction
from classifier.queries.prepared import Prepared


def answer_made(request: Request, made: Prediction | Batch, *, replayed: bool) -> Response:
    """Answer with the prediction or the batch as it is when the caller's patience has ended.

    201 if it has ended, 202 otherwise.
    """
    if isinstance(made, Prediction):
        body, headers = _prediction(request, made, replayed)
        ended = body["completed_at"] is not None
        eta = (body["queue"] or {}).get("eta_seconds")
    else:
        body, headers = _batch(request, made)
        ended, eta = body["progress"] == 1, body["eta_seconds"]
    headers["Location"] = body["urls"]["get"]
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    if not ended:
        headers.setdefault("Retry-After", str(math.ceil(max(1, eta or 0))))
    return Response(body, status=201 if ended else 202, headers=headers)


_with_facts = Prepared(
    lambda key: Prediction.objects.with_facts().filter(id=key), key=models.UUIDField()
)


def _prediction(request: Request, made: Prediction, replayed: bool) -> tuple[Object, Any]:
    preference = parse_prefer(request.headers.get("Prefer", ""))
    headers = wait_as_preferred([made.id], preference)
    if replayed or preference.wait is not None:
        current = _with_facts(key=made.id)
        if not current:
            raise Http404
        [made] = current
    return show_prediction(request, made), headers


def _batch(request: Request, batch: Batch) -> tuple[Object, Any]:
    preference = parse_prefer(request.headers.get("Prefer", ""))
    ids = set(batch.predictions.values_list("id", flat=True)) if preference.wait else ()
    headers = wait_as_preferred(ids, preference)
    [body] = show_batches(request, [batch])
    items = show_items(request, batch, batch.predictions.with_facts())
    return {**body, "items": items}, headers
