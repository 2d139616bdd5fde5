"""Webhooks: the addresses that are told of one's predictions."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.actions import webhooks as actions
from classifier.addresses import RefusedAddress
from classifier.api.filters import StrictFilterBackend
from classifier.api.keyset import KeysetPages
from classifier.api.parsers import JSONParser
from classifier.api.problems import Problem
from classifier.api.requests import SignedInRequest
from classifier.api.schema import refusals
from classifier.api.slips import fault, members_of, unknown, wrong
from classifier.api.webhook_serializers import (
    CHANGES,
    NEW,
    PROPERTIES,
    EndpointInput,
    EndpointSerializer,
    EndpointWithSecretSerializer,
    SecretSerializer,
    show_endpoint,
    show_secret,
)
from classifier.models import Endpoint, Scope
from classifier.models.webhook import EndpointQuerySet

LOCATION = OpenApiParameter(
    "Location",
    {"type": "string", "format": "uri"},
    OpenApiParameter.HEADER,
    response=[201],
    description="Where it is.",
)


class Webhooks(GenericAPIView[Endpoint]):
    """The addresses that are told of one's predictions."""

    scopes = {"GET": Scope.PREDICTIONS_READ, "POST": Scope.PREDICTIONS_WRITE}
    parser_classes = [JSONParser]
    serializer_class = EndpointInput
    queryset = Endpoint.objects.none()
    filter_backends = [StrictFilterBackend]
    pagination_class = KeysetPages

    @extend_schema(responses=EndpointSerializer(many=True))
    def get(self, request: SignedInRequest) -> Response:
        """List one's own webhooks."""
        rows = self.filter_queryset(own(request).managed())
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response([show_endpoint(request, row) for row in page])

    @extend_schema(
        parameters=[LOCATION],
        request=NEW,
        responses={201: EndpointWithSecretSerializer, **refusals(409)},
    )
    def post(self, request: SignedInRequest) -> Response:
        """Add a webhook. The answer has the secret that signs its messages."""
        wanted = _wanted(request, partial=False)
        enabled = wanted.pop("enabled", True)
        try:
            made = actions.add(request.user, **wanted)
        except RefusedAddress as error:
            raise _refused(error) from error
        except actions.TooMany as error:
            detail = f"There are {actions.MOST_ENDPOINTS}, which is the most."
            raise Problem("too_many_webhooks", detail) from error
        if not enabled:
            actions.pause(made)
        body = {**show_endpoint(request, made), **show_secret(made)}
        return Response(body, status=201, headers={"Location": body["urls"]["get"]})


class WebhookDetail(APIView):
    """One webhook."""

    scopes = {
        "GET": Scope.PREDICTIONS_READ,
        "PATCH": Scope.PREDICTIONS_WRITE,
        "DELETE": Scope.PREDICTIONS_WRITE,
    }
    parser_classes = [JSONParser]

    @extend_schema(responses=EndpointSerializer)
    def get(self, request: SignedInRequest, key: UUID) -> Response:
        """Look at a webhook."""
        return Response(show_endpoint(request, find(own(request).managed(), key)))

    @extend_schema(request=CHANGES, responses=EndpointSerializer)
    def patch(self, request: SignedInRequest, key: UUID) -> Response:
        """Change a webhook. What is still to be sent goes to the new address.

        `"enabled": false` pauses it, and `true` resumes it, also after it has answered 410.
        """
        endpoint = find(own(request).managed(), key)
        wanted = _wanted(request, partial=True)
        enabled = wanted.pop("enabled", endpoint.is_enabled)
        try:
            actions.change(endpoint, **wanted)
        except RefusedAddress as error:
            raise _refused(error) from error
        if enabled != endpoint.is_enabled:
            (actions.resume if enabled else actions.pause)(endpoint)
        return Response(show_endpoint(request, endpoint))

    @extend_schema(responses={204: None})
    def delete(self, request: SignedInRequest, key: UUID) -> Response:
        """Delete a webhook, with all that was sent to it or is still to be sent."""
        actions.remove(find(own(request).managed(), key))
        return Response(status=204)


class DefaultWebhook(APIView):
    """What signs the messages to addresses that are given with single requests."""

    scopes = {"GET": Scope.PREDICTIONS_WRITE}

    @extend_schema(responses=EndpointWithSecretSerializer)
    def get(self, request: SignedInRequest) -> Response:
        """Show the webhook, and its secret, of all addresses given with requests."""
        endpoint = actions.of_requests(request.user)
        return Response({**show_endpoint(request, endpoint), **show_secret(endpoint)})


class WebhookSecret(APIView):
    """What signs the messages of a webhook."""

    scopes = {"GET": Scope.PREDICTIONS_WRITE}

    @extend_schema(responses=SecretSerializer)
    def get(self, request: SignedInRequest, key: UUID) -> Response:
        """Show the secret of a webhook."""
        return Response(show_secret(find(own(request), key)))


class RotateSecret(APIView):
    """A new secret."""

    scopes = {"POST": Scope.PREDICTIONS_WRITE}

    @extend_schema(request=None, responses={200: SecretSerializer})
    def post(self, request: SignedInRequest, key: UUID) -> Response:
        """Replace the secret. For 24 hours the old one signs too."""
        endpoint = find(own(request), key)
        actions.rotate(endpoint)
        return Response(show_secret(endpoint))


def own(request: SignedInRequest) -> EndpointQuerySet:
    """The caller's webhooks: staff too see only their own here."""
    return Endpoint.objects.filter(owner=request.user)


def find(rows: EndpointQuerySet, key: UUID) -> Endpoint:
    """One of them.

    Raises:
        Http404: if it is not there.
    """
    found: Endpoint = get_object_or_404(rows, id=key)
    return found


def _wanted(request: SignedInRequest, *, partial: bool) -> dict[str, Any]:
    """What the body says.

    Raises:
        Problem: naming the members that nobody knows.
        ValidationError: naming those that cannot be.
    """
    members = members_of(request.data)
    if faults := list(unknown(members, PROPERTIES, "pointer")):
        raise wrong(*faults)
    serializer = EndpointInput(data=members, partial=partial)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _refused(error: RefusedAddress) -> Problem:
    return wrong(fault("/url", "refused_address", str(error)))
