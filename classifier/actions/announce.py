"""Tell those who asked that predictions have begun or ended."""

import functools
import uuid
from collections.abc import Collection, Iterable
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from classifier import waiting
from classifier.bells import DELIVER, ring_on_commit
from classifier.models import Delivery, Endpoint, Event, Prediction, Status
from classifier.models.webhook import as_body
from classifier.queries.prepared import Prepared

MOST_BYTES = 20_000  # of a message; what would make it longer is left out
LEFT_OUT_FIRST = ("metadata", "output", "error")


def announce_begun(ids: Collection[uuid.UUID], owners: Collection[int]) -> None:
    """Owe the webhooks that were asked for a worker's start. Needs the claim's transaction."""
    _owe_deliveries(Event.START, ids, owners)


def announce_ended(ids: Collection[uuid.UUID], owners: Collection[int]) -> None:
    """Owe the webhooks, and once the rows can be seen, wake those who wait for them.

    Needs the transaction that ended the predictions: so no end goes untold.

    Args:
        ids: the predictions'.
        owners: whose they are.
    """
    if ids:
        _owe_deliveries(Event.COMPLETED, ids, owners)
        transaction.on_commit(functools.partial(waiting.tell, ids), robust=True)


def _owe_deliveries(event: Event, ids: Collection[uuid.UUID], owners: Collection[int]) -> None:
    """One query where nobody has an endpoint, which is the ordinary case.

    The endpoints are locked: one that is deleted meanwhile would take the whole batch's results
    with it.
    """
    endpoints = [one for one in _locked_of(owners) if not one.url or event in one.events]
    if not endpoints:
        return
    theirs = Prediction.objects.filter(id__in=ids, owner__in={one.owner_id for one in endpoints})
    predictions = theirs.with_facts()
    deliveries = [
        Delivery(endpoint=endpoint, prediction=prediction, url=url, **_message(prediction))
        for prediction in predictions
        for endpoint, url in _addressees(event, prediction, endpoints)
    ]
    if deliveries:
        Delivery.objects.bulk_create(deliveries)
        ring_on_commit(DELIVER)


def _locked_of(owners: Collection[int]) -> Iterable[Endpoint]:
    if len(owners) == 1:  # as with most batches
        [owner] = owners
        return _locked_of_one(owner=owner)
    return _locked(owner__in=owners)


def _locked(**whose: Any) -> "models.QuerySet[Endpoint]":
    enabled = Endpoint.objects.enabled().filter(**whose).order_by("id")
    return enabled.select_for_update(no_key=True, of=("self",))


_locked_of_one = Prepared(_locked, owner=models.BigAutoField())


def _addressees(
    event: Event, prediction: Prediction, endpoints: Iterable[Endpoint]
) -> Iterable[tuple[Endpoint, str]]:
    for endpoint in endpoints:
        if endpoint.owner_id != prediction.owner_id:
            continue
        url = endpoint.url or prediction.webhook_url
        events = endpoint.events if endpoint.url else prediction.webhook_events
        if url and event in events:
            yield endpoint, url


def _message(prediction: Prediction) -> dict[str, Any]:
    """The type and the thin payload: what happened to which; the rest is a GET away."""
    kind = "prediction.started" if prediction.is_pending else f"prediction.{prediction.status}"
    error = {"code": prediction.error_code, "detail": prediction.error_detail}
    data = {
        "id": str(prediction.id),
        "status": prediction.status,
        "model": prediction.model_version.name,
        "version": prediction.model_version.version,
        "batch": str(prediction.batch_id) if prediction.batch_id else None,
        "output": prediction.answer,
        "error": error if prediction.status == Status.FAILED else None,
        "metadata": prediction.metadata,
        "omitted": [],
    }
    payload = {"type": kind, "timestamp": timezone.now().isoformat(), "data": data}
    return {"type": kind, "payload": _thin(payload)}


def _thin(payload: dict[str, Any]) -> dict[str, Any]:
    """Short enough to send; `omitted` names what was left out for that."""
    data = payload["data"]
    for name in LEFT_OUT_FIRST:
        if len(as_body(payload)) < MOST_BYTES:
            break
        if data[name]:
            data[name] = None
            data["omitted"].append(name)
    return payload
