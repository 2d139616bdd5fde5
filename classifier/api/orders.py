"""From what a request asks for to what is owed: which model, until when, made once."""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import timedelta
from difflib import get_close_matches

from django.utils import timezone

from classifier.actions.once import InFlight, Made, OtherRequest, made_before, once
from classifier.actions.submit import Order
from classifier.api.inputs import Sent
from classifier.api.options import Options
from classifier.api.problems import Problem
from classifier.api.requests import SignedInRequest, may_be_cached
from classifier.api.slips import fault
from classifier.models import Alias, ModelVersion, Source
from classifier.queries.prepared import Prepared

Prepare = Callable[[], Callable[[], Made]]
KEY = re.compile(r"[!-~]{1,255}")

# Nearly every upload asks for this one.
_serving = Prepared(
    lambda: (
        ModelVersion.objects.without_documents()
        .filter(activated_at__isnull=False)
        .by_precedence()[:1]
    )
)

logger = logging.getLogger(__name__)


def order_of(request: SignedInRequest, options: Options) -> Order:
    """What is asked for, by whom and of which model version.

    Raises:
        Problem: if there is no such model.
    """
    expires_in = options.expires_in and timedelta(seconds=options.expires_in)
    return Order(
        owner=request.user,
        model_version=model_version(options.model),
        source=Source.API,
        priority=options.priority,
        expires_at=timezone.now() + expires_in if expires_in else None,
        top_k=options.top_k,
        threshold=options.threshold,
        may_be_cached=may_be_cached(request),
        metadata=options.metadata,
        webhook_url=options.webhook,
        webhook_events=options.webhook_events_filter if options.webhook else (),
    )


def model_version(reference: str) -> ModelVersion:
    """The version that a request means, without its thousand labels.

    Raises:
        Problem: if there is none, with those that there are.
    """
    if reference in {"", Alias.CHAMPION} and (serving := _serving()):
        return serving[0]
    try:
        return ModelVersion.objects.without_documents().asked_for(reference)
    except ModelVersion.DoesNotExist:
        raise (_unknown_model(reference) if reference else Problem("no_model")) from None


def made_once(
    request: SignedInRequest, options: Options, images: Iterable[Sent], prepare: Prepare
) -> tuple[Made, bool]:
    """Make it; once only, if the request has a key. Also whether it was there already.

    `prepare` looks at all that may be wrong, and returns what makes it. It is not asked where an
    earlier request has made it: what was right then may be wrong by now.

    Raises:
        Problem: if the key cannot be used, or the storage takes nothing.
    """
    key = request.headers.get("Idempotency-Key")
    try:
        if key is None:
            return prepare()(), False
        if not KEY.fullmatch(key):
            raise _wrong_key()
        fingerprint = _fingerprint(request, options, images)
        if made := made_before(request.user, key, fingerprint):
            return made, True
        return once(request.user, key, fingerprint, prepare())
    except InFlight:
        raise Problem("in_flight", headers={"Retry-After": "1"}) from None
    except OtherRequest:
        raise Problem("key_reused") from None
    except OSError:
        logger.exception("an upload could not be stored")
        raise Problem("storage") from None


def _fingerprint(request: SignedInRequest, options: Options, images: Iterable[Sent]) -> str:
    """A digest of what a request means: the same for the same, however it is put into bytes."""
    sent = [[image.name, image.digest] for image in images]
    meaning = json.dumps([request.path, asdict(options), sent], sort_keys=True)
    return hashlib.sha256(meaning.encode()).hexdigest()


def _unknown_model(reference: str) -> Problem:
    names = sorted(set(ModelVersion.objects.values_list("name", flat=True)))
    close = get_close_matches(reference.partition("@")[0], names, 1)
    hint = f"Did you mean {close[0]}? " if close else ""
    there = f"Installed are {', '.join(names)}." if names else "None is installed."
    detail = f"There is no model {reference}. {hint}{there}"
    return Problem("unknown_model", detail, [fault("/model", "unknown", detail)])


def _wrong_key() -> Problem:
    detail = "Idempotency-Key must have 1 to 255 visible ASCII characters, and no space."
    return Problem("invalid_request", detail, [fault("Idempotency-Key", "invalid", detail)])
