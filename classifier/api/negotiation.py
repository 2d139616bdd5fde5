"""Which of the formats that there are an answer comes in."""

from typing import Any

from django.http import Http404
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.request import Request

ANYTHING = "*/*"


class Negotiation(DefaultContentNegotiation):
    """By `?format=`, or by the `Accept` header; what there is not is refused the same for both."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        """Choose.

        Raises:
            NotAcceptable: if there is no such format; an empty one is none.
        """
        if _takes_anything(request):
            return renderers[0], renderers[0].media_type
        if request.query_params.get("format") == "":
            raise NotAcceptable
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except Http404:
            raise NotAcceptable from None

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Choose; at once where the type is said as the parser says it, as nearly all do."""
        said = request.content_type.partition(";")[0]
        named = (parser for parser in parsers if parser.media_type == said)
        return next(named, None) or super().select_parser(request, parsers)


def _takes_anything(request: Request) -> bool:
    """Most programs do not say what they would like."""
    return request.META.get("HTTP_ACCEPT", ANYTHING) == ANYTHING and "format" not in request.GET


class WhateverIsPreferred(BaseContentNegotiation):
    """For what there is in one format only."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type
