"""What can go wrong, by the short name that a program can rely on.

Every refusal of the API is one of these, as RFC 9457 describes. Each has a page of its own at
/api/problems/<slug>/ that says what it means and what to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from rest_framework.exceptions import APIException


class Fault(TypedDict):
    """One thing that is wrong with a request: where, by what short name, and in words."""

    pointer: NotRequired[str]  # into the body, as RFC 6901 has it
    parameter: NotRequired[str]  # of the query
    code: str
    detail: str


@dataclass(frozen=True)
class ProblemType:
    """One kind of refusal."""

    title: str
    status: int
    explanation: str
    remedy: str


PROBLEMS: dict[str, ProblemType] = {
    "malformed": ProblemType(
        "The request cannot be read",
        400,
        "The body is not what its Content-Type says: broken JSON, a broken multipart form, "
        "or it ended too early.",
        "Check the body and its Content-Type. Most clients build both when they are given "
        "an object or a file.",
    ),
    "not_authenticated": ProblemType(
        "Nobody is signed in",
        401,
        "The request has no token and no session.",
        "Make a token on the token page, or with `manage.py token create`, and send it as "
        "`Authorization: Bearer slt_…`.",
    ),
    "invalid_token": ProblemType(
        "The token does not open the door",
        401,
        "The token is unknown, revoked or expired, or its owner may not sign in any more.",
        "Check that it was copied whole. The token page shows which tokens work; make a new one "
        "there.",
    ),
    "csrf_failed": ProblemType(
        "The request did not come from our own page",
        403,
        "Whoever writes with a browser's session must send the CSRF token of the page.",
        "Send the `csrftoken` cookie's value as the `X-CSRFToken` header. Programs use a token, "
        "which needs no such thing.",
    ),
    "missing_scope": ProblemType(
        "The token may not do this",
        403,
        "A token opens only the doors that its scopes name.",
        "Make a token that has the scope that `detail` names.",
    ),
    "staff_only": ProblemType(
        "Only staff may do this",
        403,
        "Reviewing is for people whose account is marked as staff.",
        "Ask whoever runs this server.",
    ),
    "forbidden": ProblemType(
        "That is not allowed",
        403,
        "Your account may not do this.",
        "Ask whoever runs this server.",
    ),
    "not_found": ProblemType(
        "There is nothing here",
        404,
        "The address is wrong, what was here has been deleted, or it belongs to somebody else.",
        "Follow the addresses that answers give in `urls`. The list shows what there is.",
    ),
    "method_not_allowed": ProblemType(
        "The address does not take this method",
        405,
        "The address is right, but not for this method.",
        "The `Allow` header lists the methods that it takes.",
    ),
    "not_acceptable": ProblemType(
        "There is no answer in that format",
        406,
        "The `Accept` header, or `?format=`, asks for a format that this address does not have.",
        "Ask for `application/json`, or leave the header away.",
    ),
    "in_flight": ProblemType(
        "The first request with this key is still being worked on",
        409,
        "Another request with the same `Idempotency-Key` has not ended yet.",
        "Send it again after as many seconds as `Retry-After` says; the answer is then the "
        "first one's.",
    ),
    "too_late": ProblemType(
        "It is too late for that",
        409,
        "A worker has begun with the prediction, or it has ended.",
        "Wait for the answer, or delete the prediction.",
    ),
    "not_answered": ProblemType(
        "There is no answer to review",
        409,
        "The prediction has not succeeded, or not yet.",
        "Wait until its `status` is `succeeded`.",
    ),
    "too_many_webhooks": ProblemType(
        "There are too many webhooks",
        409,
        "A person may have a limited number of webhooks.",
        "Delete one that is no longer needed, or give an address with each request.",
    ),
    "webhook_paused": ProblemType(
        "The webhook is paused",
        409,
        "Nothing is sent to a webhook that is paused, or that has answered 410.",
        'Resume it first: `PATCH` it with `{"enabled": true}`.',
    ),
    "being_sent": ProblemType(
        "The message is being sent at this moment",
        409,
        "An attempt to deliver it is under way.",
        "Look at the delivery in a minute; send it again if it has failed.",
    ),
    "length_required": ProblemType(
        "The request does not say how long it is",
        411,
        "The body came in chunks, so that nobody knows its length before it has ended.",
        "Send a `Content-Length`. Most clients do when they are given a file or bytes, and not "
        "a stream.",
    ),
    "too_large": ProblemType(
        "The request is too large",
        413,
        "The image, or the request as a whole, is larger than this server takes.",
        "Make the image smaller, or send fewer in one request. `GET /api/v1/me/` tells the limits.",
    ),
    "too_many_files": ProblemType(
        "There are too many files in one request",
        413,
        "One request takes a limited number of files.",
        "Send them in several requests. `GET /api/v1/me/` tells the limits.",
    ),
    "unsupported_media_type": ProblemType(
        "The body is in a format that is not taken here",
        415,
        "The `Content-Type` is not one that this address takes, or the bytes are no image in a "
        "known format.",
        "The schema lists what each address takes. Images may be JPEG, PNG, WebP, GIF, BMP, TIFF "
        "or AVIF.",
    ),
    "invalid_request": ProblemType(
        "The request has wrong values",
        422,
        "The request can be read, but something in it is missing or has a wrong value.",
        "`errors` has one item for each thing: `pointer` says where in the body it is, or "
        "`parameter` which part of the query.",
    ),
    "invalid_image": ProblemType(
        "The image cannot be taken",
        422,
        "It is empty, damaged, or would take far too much work to decode.",
        "`detail` says what is wrong with it. Saving or exporting it anew often helps.",
    ),
    "prediction_failed": ProblemType(
        "The image has no answer",
        422,
        "The image was taken, but the model found no answer, or the prediction was taken away.",
        "`detail` says why. The history shows what was taken; another image may do.",
    ),
    "unknown_model": ProblemType(
        "There is no such model",
        422,
        "The request names a model or a version that is not installed.",
        "`GET /api/v1/models/` lists them. Without `model`, the one that serves answers.",
    ),
    "key_reused": ProblemType(
        "The key was given to another request",
        422,
        "A request with the same `Idempotency-Key` but another content came within 24 hours.",
        "Make a new key for every new request, and keep it only to repeat the very same one.",
    ),
    "rate_limited": ProblemType(
        "Too many requests",
        429,
        "A user and a token may each send a limited number of requests in a minute.",
        "Wait as many seconds as `Retry-After` says. `GET /api/v1/me/` tells the limits.",
    ),
    "server_error": ProblemType(
        "Something went wrong here",
        500,
        "It is not your fault, and what was accepted before is safe.",
        "Try again in a moment. Whoever runs this server finds the reason in the log.",
    ),
    "storage": ProblemType(
        "The image could not be stored",
        507,
        "The store for pictures is full or away. Nothing was accepted.",
        "Try again later. Whoever runs this server finds the reason in the log.",
    ),
    "no_model": ProblemType(
        "No model serves yet",
        503,
        "No model version is installed and activated on this server.",
        "Whoever runs this server can install one with `manage.py models`.",
    ),
    "no_seat": ProblemType(
        "Too many wait for answers",
        503,
        "As many requests as may are waiting for their answers in this process. Nothing was taken.",
        "Wait as many seconds as `Retry-After` says. `POST /api/v1/predictions/` takes images at "
        "any time, and the answer can be fetched or sent later.",
    ),
    "out_of_time": ProblemType(
        "There was no answer in time",
        504,
        "No worker came to the image within the time that this address waits. It was withdrawn.",
        "Try again later. `POST /api/v1/predictions/` does not make anybody wait.",
    ),
}


class Problem(APIException):
    """A refusal of one of the kinds in PROBLEMS, with what is particular to this one."""

    def __init__(
        self,
        slug: str,
        detail: str = "",
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.slug = slug
        self.status_code = PROBLEMS[slug].status
        self.errors = list(errors)
        self.headers = dict(headers or {})
        super().__init__(detail or PROBLEMS[slug].explanation, slug)


def describe(slug: str, type_url: str, detail: str, errors: Sequence[Fault]) -> dict[str, Any]:
    """The body of a problem, as RFC 9457 has it."""
    kind = PROBLEMS[slug]
    return {
        "type": type_url,
        "title": kind.title,
        "status": kind.status,
        "detail": detail or kind.explanation,
        "code": slug,
        "errors": list(errors),
    }
