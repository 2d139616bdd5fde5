"""The models that classify, and their versions."""

from typing import Any

from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.api.model_serializers import PAGE, ModelPage, ModelSerializer, VersionSerializer
from classifier.api.pagination import NumberedPages
from classifier.api.views.hugging_face import ImageClassification
from classifier.models import ModelVersion, Scope
from classifier.queries import catalogue

Object = dict[str, Any]


class Models(APIView):
    """The models that are installed here."""

    scopes: dict[str, Scope | None] = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="models_list", parameters=PAGE, responses=ModelPage)
    def get(self, request: Request) -> Response:
        """List the models by name, each with its versions."""
        pages = NumberedPages()
        names = pages.paginate_queryset(catalogue.model_names(), request, self)
        models = catalogue.models_of(names)
        return pages.get_paginated_response([show_model(request, model) for model in models])


class Model(ImageClassification, APIView):
    """One model. Programs written for Hugging Face may POST images here."""

    scopes: dict[str, Scope | None] = {
        "GET": Scope.MODELS_READ,
        "POST": Scope.PREDICTIONS_WRITE,
    }

    @extend_schema(operation_id="models_retrieve", responses=ModelSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Show a model with its versions; the first is what its name alone means."""
        models = catalogue.models_of([name])
        if not models:
            raise Http404
        return Response(show_model(request, models[0]))


class Version(ImageClassification, APIView):
    """One version of a model. Programs written for Hugging Face may POST images here."""

    scopes: dict[str, Scope | None] = {
        "GET": Scope.MODELS_READ,
        "POST": Scope.PREDICTIONS_WRITE,
    }

    @extend_schema(operation_id="versions_retrieve", responses=VersionSerializer)
    def get(self, request: Request, name: str, version: int) -> Response:
        """Show a version: its labels, how it sees images, how well it does, and whose it is."""
        try:
            found = ModelVersion.objects.named(f"{name}@{version}")
        except ModelVersion.DoesNotExist as error:
            raise Http404 from error
        return Response(show_version(request, found))


def show_model(request: Request, model: catalogue.Model) -> Object:
    """A model, with what one needs to choose among its versions."""
    return {
        "name": model.name,
        "serves": model.serves,
        "version": model.versions[0].version,
        "versions": [_brief(request, version) for version in model.versions],
        "urls": {"get": _url(request, "model", model.name)},
    }


def show_version(request: Request, version: ModelVersion) -> Object:
    """All that is known of a version."""
    spec = {name: value for name, value in version.spec.items() if name != "labels"}
    return {
        **_brief(request, version),
        "variant": version.computed_by,
        "labels": version.labels,
        "spec": spec,
        "metrics": version.metrics,
        "licence": version.licence,
        "source": version.source,
        "sha256": version.sha256,
    }


def _brief(request: Request, version: ModelVersion) -> Object:
    return {
        "name": version.name,
        "version": version.version,
        "aliases": [version.alias] if version.alias else [],
        "architecture": version.architecture,
        "engine": version.engine,
        "created_at": version.created_at,
        "activated_at": version.activated_at,
        "urls": {
            "get": _url(request, "version", version.name, version.version),
            "model": _url(request, "model", version.name),
        },
    }


def _url(request: Request, name: str, *args: str | int) -> str:
    return str(request.build_absolute_uri(reverse(f"api:{name}", args=args)))
