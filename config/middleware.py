"""What the framework's middleware does not do by itself."""

import functools
from collections.abc import Callable
from functools import partial

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.http import HttpRequest, HttpResponseBase, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware
from django.utils.cache import patch_vary_headers

from config.errors import is_for_programs, refuse_program


class SlashedMiddleware(CommonMiddleware):
    """A forgotten slash at the end leads to the right address, and a POST arrives there as one."""

    response_redirect_class = staticmethod(  # type: ignore[assignment]
        partial(HttpResponsePermanentRedirect, preserve_request=True)
    )


class PolicyMiddleware(CSPMiddleware):
    """Puts the content security policy into words once: no view of ours has another one."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Add the policy."""
        response.headers.setdefault(HEADER, _policy())
        return response


@functools.cache
def _policy() -> str:
    return build_policy()


class ProgramsMiddleware:
    """What holds for every address that programs call, whichever view answers, or none.

    Bodies must say how long they are, and answers are nobody's but the caller's to keep.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_for_programs(request.path):
            return self.get_response(request)
        if _has_unknown_length(request):
            response: HttpResponseBase = refuse_program(request, "length_required")
        else:
            response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        patch_vary_headers(response, ["Authorization", "Cookie"])
        return response


def _has_unknown_length(request: HttpRequest) -> bool:
    """A body in chunks: the framework would take it for an empty one."""
    return "Transfer-Encoding" in request.headers and not request.META.get("CONTENT_LENGTH")
