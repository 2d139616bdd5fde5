"""Every exception of the API, and every refusal before it, as `application/problem+json`."""

import math
from typing import Any

from django.conf import settings
from django.core import exceptions as django
from django.http import Http404, HttpRequest, JsonResponse, UnreadablePostError
from django.urls import reverse
from rest_framework import exceptions as framework
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.faults import faults_of
from classifier.api.problems import PROBLEMS, Problem, describe
from classifier.images import InvalidImage

MEDIA_TYPE = "application/problem+json"

# What an exception means to the caller, and whether its text says more than the problem's own.
MEANINGS: dict[type[Exception], tuple[str, bool]] = {
    framework.ParseError: ("malformed", True),
    UnreadablePostError: ("malformed", False),
    django.BadRequest: ("malformed", True),
    django.TooManyFieldsSent: ("malformed", True),
    django.RequestDataTooBig: ("too_large", True),
    framework.NotAuthenticated: ("not_authenticated", False),
    framework.AuthenticationFailed: ("not_authenticated", False),
    Http404: ("not_found", False),
    framework.NotFound: ("not_found", False),
    django.PermissionDenied: ("forbidden", False),
    framework.PermissionDenied: ("forbidden", False),
    framework.MethodNotAllowed: ("method_not_allowed", True),
    framework.NotAcceptable: ("not_acceptable", False),
    framework.UnsupportedMediaType: ("unsupported_media_type", True),
    framework.Throttled: ("rate_limited", False),
}


class ProblemRenderer(JSONRenderer):
    media_type = MEDIA_TYPE


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an exception that a view raised; None for what is no refusal but a fault of ours."""
    request: Request = context["request"]
    problem = as_problem(error, request)
    if problem is None:
        return None
    if not isinstance(getattr(request, "accepted_renderer", None), BrowsableAPIRenderer):
        request.accepted_renderer, request.accepted_media_type = ProblemRenderer(), MEDIA_TYPE
    url = type_url(request, problem.slug)
    body = describe(problem.slug, url, str(problem.detail), problem.errors)
    return Response(body, status=problem.status_code, headers=problem.headers)


def answer(request: HttpRequest, slug: str) -> JsonResponse:
    """A problem where no view of the API was reached."""
    body = describe(slug, type_url(request, slug), "", [])
    return JsonResponse(body, status=PROBLEMS[slug].status, content_type=MEDIA_TYPE)


def as_problem(error: Exception, request: Request) -> Problem | None:
    """What an exception means to the caller; None if it means nothing to them."""
    match error:
        case Problem():
            return error
        case InvalidImage():
            return _image_problem(error, request)
        case django.TooManyFilesSent():
            limit = settings.DATA_UPLOAD_MAX_NUMBER_FILES
            return Problem("too_many_files", f"At most {limit} files are taken at a time.")
        case framework.ValidationError():
            return Problem("invalid_request", errors=faults_of(error, request))
    for kind, (slug, tells_more) in MEANINGS.items():
        if isinstance(error, kind):
            text = str(getattr(error, "detail", error)) if tells_more else ""
            return Problem(slug, text, headers=_headers(error))
    return None


def type_url(request: HttpRequest | Request, slug: str) -> str:
    """The address of the page about a kind of problem."""
    path = reverse("api:problem", args=[slug])
    try:
        return str(request.build_absolute_uri(path))
    except django.DisallowedHost:
        return path


def _image_problem(error: InvalidImage, request: Request) -> Problem:
    """Too many bytes, or no image at all, have a status of their own; all else is a wrong value."""
    slug = "too_large" if error.code == "too_large" else "invalid_image"
    if error.code == "unknown_format" and "json" not in request.content_type:
        slug = "unsupported_media_type"
    return Problem(slug, str(error), [{"code": error.code, "detail": str(error)}])


def _headers(error: Exception) -> dict[str, str]:
    """Those that go with some refusals: how to sign in, and when to come back."""
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (seconds := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    return headers
