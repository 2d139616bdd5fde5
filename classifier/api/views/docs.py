"""The schema, and the page that shows it."""

import functools
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.models import Scope


class PlainJsonRenderer(OpenApiJsonRenderer):
    media_type = JSONRenderer.media_type
    format = "json"


class Schema(APIView):
    """The OpenAPI 3.1 schema, in JSON or, by `?format=yaml`, in YAML."""

    scopes: dict[str, Scope | None] = {"GET": None}
    renderer_classes = [PlainJsonRenderer, OpenApiJsonRenderer, OpenApiYamlRenderer]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """Read the schema."""
        return Response(_document())


@functools.cache
def _document() -> dict[str, Any]:
    """The schema, which takes a second to make and is the same for everybody."""
    with translation.override("en"):
        generator = SchemaGenerator()  # type: ignore[no-untyped-call]
        document: dict[str, Any] = generator.get_schema(public=True)  # type: ignore[no-untyped-call]
        return document


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI. A page like any other: whoever is not signed in is sent to do so."""
    return render(request, "api/docs.html")
