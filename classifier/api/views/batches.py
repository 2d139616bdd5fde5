"""Batches: how far they are, and what came out of them."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.actions.cancel import cancel
from classifier.actions.delete import delete_batch
from classifier.api.filters import StrictFilterBackend
from classifier.api.keyset import KeysetPages
from classifier.api.renderers import LinesRenderer, TableRenderer
from classifier.api.representations import show_batches, show_items
from classifier.api.requests import SignedInRequest
from classifier.api.serializers import BatchSerializer, ItemsSerializer
from classifier.models import Batch, Scope


class Batches(GenericAPIView[Batch]):
    """What was sent several at a time."""

    scopes = {"GET": Scope.PREDICTIONS_READ}
    queryset = Batch.objects.none()
    filter_backends = [StrictFilterBackend]
    pagination_class = KeysetPages

    @extend_schema(responses=BatchSerializer(many=True))
    def get(self, request: SignedInRequest) -> Response:
        """List one's own batches."""
        rows = self.filter_queryset(Batch.objects.filter(owner=request.user))
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response(show_batches(request, page))


class BatchDetail(APIView):
    """One batch."""

    scopes = {"GET": Scope.PREDICTIONS_READ, "DELETE": Scope.PREDICTIONS_WRITE}

    @extend_schema(responses=BatchSerializer)
    def get(self, request: SignedInRequest, key: UUID) -> Response:
        """Look how far a batch is."""
        [body] = show_batches(request, [_find(request, key)])
        return Response(body)

    @extend_schema(responses={204: None})
    def delete(self, request: SignedInRequest, key: UUID) -> Response:
        """Delete a batch with all its predictions and their pictures."""
        delete_batch(_find(request, key))
        return Response(status=204)


class BatchResults(APIView):
    """What came out of a batch."""

    scopes = {"GET": Scope.PREDICTIONS_READ}
    renderer_classes = [JSONRenderer, LinesRenderer, TableRenderer]

    def get_renderers(self) -> list[BaseRenderer]:
        """The formats of results are of nothing else: what OPTIONS tells comes as JSON."""
        return [JSONRenderer()] if self.request.method == "OPTIONS" else super().get_renderers()

    @extend_schema(
        responses={
            (200, "application/json"): ItemsSerializer,
            (200, LinesRenderer.media_type): OpenApiTypes.STR,
            (200, TableRenderer.media_type): OpenApiTypes.STR,
        }
    )
    def get(self, request: SignedInRequest, key: UUID) -> Response:
        """Fetch the results as JSON, as a JSON object a line, or as a table."""
        batch = _find(request, key)
        items = show_items(request, batch, batch.predictions.with_facts())
        response = Response({"items": items})
        if isinstance(request.accepted_renderer, TableRenderer):
            response["Content-Disposition"] = f'attachment; filename="batch-{key}.csv"'
        return response


class CancelBatch(APIView):
    """Withdraw what nobody has begun."""

    scopes = {"POST": Scope.PREDICTIONS_WRITE}

    @extend_schema(request=None, responses={200: BatchSerializer})
    def post(self, request: SignedInRequest, key: UUID) -> Response:
        """Cancel what still waits of a batch; the rest goes on."""
        batch = _find(request, key)
        cancel(batch.predictions.all())
        [body] = show_batches(request, [batch])
        return Response(body)


def _find(request: SignedInRequest, key: UUID) -> Batch:
    found: Batch = get_object_or_404(Batch, owner=request.user, id=key)
    return found
