"""Refusals that no view wrote, each in the form that its path's clients expect.

Programs get `application/problem+json` under /api/ and /predict, and `{"error": …}` under /v2 as
the Open Inference Protocol has it. Everybody else gets a page.
"""

from django.core.exceptions import RequestDataTooBig, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views import csrf, defaults

from classifier.api import errors as api
from classifier.api.problems import PROBLEMS
from classifier.web.views import errors as web

PROTOCOL = "/v2"
PROBLEM = ("/api", "/predict")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    slug = "malformed"
    if isinstance(exception, RequestDataTooBig):
        slug = "too_large"
    elif isinstance(exception, TooManyFilesSent):
        slug = "too_many_files"
    return _for_program(request, slug) or web.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _for_program(request, "forbidden") or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _for_program(request, "not_found") or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    return _for_program(request, "server_error") or defaults.server_error(request)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    return _for_program(request, "csrf_failed") or csrf.csrf_failure(request, reason)


def is_for_programs(path: str) -> bool:
    """Whether programs call this path, and not browsers that show pages."""
    return _is_under(path, *PROBLEM, PROTOCOL)


def refuse_program(request: HttpRequest, slug: str) -> HttpResponse:
    """A problem in the form of the path that a program has called."""
    if not _is_under(request.path, PROTOCOL):
        return api.answer(request, slug)
    kind = PROBLEMS[slug]
    return JsonResponse({"error": f"{kind.title}. {kind.remedy}"}, status=kind.status)


def _for_program(request: HttpRequest, slug: str) -> HttpResponse | None:
    return refuse_program(request, slug) if is_for_programs(request.path) else None


def _is_under(path: str, *prefixes: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes)
