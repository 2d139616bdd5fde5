"""Which of the formats that there are an answer comes in."""

from typing import Any

from django.http import Http404
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.request import Request


class Negotiation(DefaultContentNegotiation):
    """By `?format=`, or by the `Accept` header; what there is not is refused the same for both."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        """Choose.

        Raises:
            NotAcceptable: if there is no such format; an empty one is none.
        """
        if request.query_params.get("format") == "":
            raise NotAcceptable
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except Http404:
            raise NotAcceptable from None


class WhateverIsPreferred(BaseContentNegotiation):
    """For what there is in one format only."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type
