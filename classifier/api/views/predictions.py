"""Predictions: made, listed, looked at and deleted."""

import functools
import hashlib
import json
from collections.abc import Callable
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.actions.delete import delete_prediction
from classifier.actions.once import Made
from classifier.actions.submit import submit, submit_batch
from classifier.api import bodies, headers
from classifier.api.answers import answer_made
from classifier.api.etags import is_known
from classifier.api.filters import PredictionFilter, StrictFilterBackend
from classifier.api.inputs import Asked, read, verify_all
from classifier.api.keyset import KeysetPages
from classifier.api.orders import made_once, order_of
from classifier.api.parsers import ImageParser, JSONParser, OctetsParser
from classifier.api.preferences import parse_prefer, wait_as_preferred
from classifier.api.representations import Object, show_prediction, show_predictions
from classifier.api.requests import SignedInRequest
from classifier.api.schema import refusals
from classifier.api.serializers import BatchWithItemsSerializer, PredictionSerializer, UploadForm
from classifier.models import Prediction, Scope
from classifier.models.prediction import PredictionQuerySet

MADE = PolymorphicProxySerializer(
    component_name="Made",
    serializers=[PredictionSerializer, BatchWithItemsSerializer],
    resource_type_field_name=None,
)


class ByScore(KeysetPages):
    orderings = {"created_at": None, "score": "top_score"}


class Predictions(GenericAPIView[Prediction]):
    """Classify images, and find what was classified."""

    scopes = {"GET": Scope.PREDICTIONS_READ, "POST": Scope.PREDICTIONS_WRITE}
    parser_classes = [MultiPartParser, JSONParser, ImageParser, OctetsParser]
    serializer_class = UploadForm
    queryset = Prediction.objects.none()  # says of what the list is
    filter_backends = [StrictFilterBackend]
    filterset_class = PredictionFilter
    pagination_class = ByScore

    @extend_schema(responses=PredictionSerializer(many=True))
    def get(self, request: SignedInRequest) -> Response:
        """List one's own predictions.

        `metadata.NAME=value` keeps those whose metadata has this value under NAME. Ordering by
        score leaves out those that have none.
        """
        rows = self.filter_queryset(own(request).with_facts())
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response(show_predictions(request, page))

    @extend_schema(
        parameters=[
            headers.PREFER,
            headers.IDEMPOTENCY_KEY,
            headers.CACHE_CONTROL,
            *headers.in_query(bodies.OPTIONS_IN_TEXT),
            *headers.MADE,
        ],
        request=bodies.UPLOAD,
        responses={201: MADE, 202: MADE, **refusals(409, 503, 507)},
    )
    def post(self, request: SignedInRequest) -> Response:
        """Classify one image, or several as a batch.

        201 if all have ended when the answer is sent, 202 if not. Options are members of the body,
        or parameters of the address, above all where the body is nothing but an image.
        """
        asked = read(request)
        prepare = functools.partial(_prepared, request, asked)
        made, replayed = made_once(request, asked.options, asked.images, prepare)
        return answer_made(request, made, replayed=replayed)


class PredictionDetail(APIView):
    """One prediction."""

    scopes = {"GET": Scope.PREDICTIONS_READ, "DELETE": Scope.PREDICTIONS_WRITE}

    @extend_schema(
        parameters=[headers.PREFER, headers.IF_NONE_MATCH, *headers.ENDED],
        responses={200: PredictionSerializer, 304: None},
    )
    def get(self, request: SignedInRequest, key: UUID) -> Response:
        """Look at a prediction.

        Once it has ended, the answer has an `ETag`, and never changes again.
        """
        row, told = find(own(request).with_facts(), key), {}
        preference = parse_prefer(request.headers.get("Prefer", ""))
        if row.is_pending and preference.applied:
            told = wait_as_preferred([key], preference)
            row = find(own(request).with_facts(), key)
        body = show_prediction(request, row)
        if row.is_pending or not isinstance(request.accepted_renderer, JSONRenderer):
            return Response(body, headers=told)
        told |= {"ETag": _etag(body), "Cache-Control": "private, no-cache"}
        if is_known(request, told["ETag"]):
            return Response(status=304, headers=told)
        return Response(body, headers=told)

    @extend_schema(responses={204: None})
    def delete(self, request: SignedInRequest, key: UUID) -> Response:
        """Delete a prediction, and its picture unless another prediction is of the same one."""
        delete_prediction(find(own(request), key))
        return Response(status=204)


def _prepared(request: SignedInRequest, asked: Asked) -> Callable[[], Made]:
    """What makes what is asked for, once everything about it is known to be right."""
    order = order_of(request, asked.options)
    if asked.several:
        return functools.partial(submit_batch, order, verify_all(asked.images))
    [image] = asked.images
    return functools.partial(submit, order, image.verified(), image.name)


def own(request: SignedInRequest) -> PredictionQuerySet:
    """The caller's predictions: staff too see only their own here."""
    return Prediction.objects.filter(owner=request.user)


def find(rows: PredictionQuerySet, key: UUID) -> Prediction:
    """One of them.

    Raises:
        Http404: if it is not there.
    """
    found: Prediction = get_object_or_404(rows, id=key)
    return found


def _etag(body: Object) -> str:
    """Weak: the same content may be written in other ways."""
    text = json.dumps(body, sort_keys=True)
    return f'W/"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
