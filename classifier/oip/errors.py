"""Refusals in the protocol's own form: a status, and why in `{"error": "…"}`."""

import logging
import math
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, JsonResponse, UnreadablePostError
from rest_framework.exceptions import APIException

from classifier.actions.answer import OutOfTime, Unanswered
from classifier.waiting import NoSeat

logger = logging.getLogger(__name__)

BUSY_SECONDS = "1"


class Refused(APIException):
    """A request that cannot be taken as it is."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status_code = status


def handle(error: Exception, context: dict[str, Any]) -> JsonResponse | None:
    """Answer an exception that a view raised; None for what is no refusal but a fault of ours."""
    match error:
        case APIException():
            return _refuse(str(error.detail), error.status_code, _headers(error))
        case NoSeat():
            reason = "As many requests as may wait for answers here. Try again in a moment."
            return _refuse(reason, 503, {"Retry-After": BUSY_SECONDS})
        case OutOfTime():
            return _refuse("No worker had an answer in time. Try again later.", 504)
        case Unanswered():
            return _refuse(f"Image {error.index} has no answer: {error}", 400)
        case RequestDataTooBig():
            return _refuse(str(error), 413)
        case Http404():
            return _refuse("There is nothing here.", 404)
        case PermissionDenied():
            return _refuse("Your account may not do this.", 403)
        case SuspiciousOperation() | UnreadablePostError():
            return _refuse(f"The request cannot be read: {error}", 400)
        case OSError():
            logger.error("an image could not be stored", exc_info=error)
            return _refuse("The server could not store the image. Try again later.", 507)
    return None


def _headers(error: APIException) -> dict[str, str]:
    """What the refusal has to say beside its reason: how to sign in, when to come back."""
    headers: dict[str, str] = dict(getattr(error, "headers", {}))
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (seconds := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    return headers


def _refuse(reason: str, status: int, headers: dict[str, str] | None = None) -> JsonResponse:
    return JsonResponse({"error": reason}, status=status, headers=headers or {})
