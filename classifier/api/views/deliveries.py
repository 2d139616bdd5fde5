"""What was sent to a webhook, and what is still to be sent."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.actions import webhooks as actions
from classifier.api.filter_fields import ChoicesFilter
from classifier.api.filters import StrictFilterBackend
from classifier.api.keyset import KeysetPages
from classifier.api.problems import Problem
from classifier.api.requests import SignedInRequest
from classifier.api.schema import refusals
from classifier.api.views.webhooks import find, own
from classifier.api.webhook_serializers import DeliverySerializer, show_delivery
from classifier.models import Delivery, DeliveryStatus, Scope


class DeliveryFilter(filters.FilterSet):
    """Each parameter keeps fewer."""

    status = ChoicesFilter(
        choices=DeliveryStatus.choices, help_text="In this state; may be given several times."
    )


class Deliveries(GenericAPIView[Delivery]):
    """What was sent to a webhook in the last 30 days, or is still to be sent."""

    scopes = {"GET": Scope.PREDICTIONS_READ}
    queryset = Delivery.objects.none()
    filter_backends = [StrictFilterBackend]
    filterset_class = DeliveryFilter
    pagination_class = KeysetPages

    @extend_schema(responses=DeliverySerializer(many=True))
    def get(self, request: SignedInRequest, key: UUID) -> Response:
        """List the deliveries of a webhook."""
        rows = self.filter_queryset(find(own(request), key).deliveries.all())
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response([show_delivery(request, row) for row in page])


class DeliveryDetail(APIView):
    """One message."""

    scopes = {"GET": Scope.PREDICTIONS_READ}

    @extend_schema(responses=DeliverySerializer)
    def get(self, request: SignedInRequest, key: UUID, delivery_key: UUID) -> Response:
        """Look at a delivery."""
        return Response(show_delivery(request, _find(request, key, delivery_key)))


class Redeliver(APIView):
    """The same message again."""

    scopes = {"POST": Scope.PREDICTIONS_WRITE}

    @extend_schema(request=None, responses={202: DeliverySerializer, **refusals(409)})
    def post(self, request: SignedInRequest, key: UUID, delivery_key: UUID) -> Response:
        """Send a message again now, under the id that it had and with all attempts before it."""
        delivery = _find(request, key, delivery_key)
        try:
            if not actions.redeliver(delivery):
                raise Problem("being_sent")
        except actions.Paused as error:
            raise Problem("webhook_paused") from error
        delivery.refresh_from_db()
        return Response(show_delivery(request, delivery), status=202)


class SendTest(APIView):
    """A message about nothing."""

    scopes = {"POST": Scope.PREDICTIONS_WRITE}

    @extend_schema(request=None, responses={202: DeliverySerializer, **refusals(409)})
    def post(self, request: SignedInRequest, key: UUID) -> Response:
        """Send a webhook a message of the type `endpoint.test`."""
        try:
            delivery = actions.send_test(find(own(request).managed(), key))
        except actions.Paused as error:
            raise Problem("webhook_paused") from error
        return Response(show_delivery(request, delivery), status=202)


def _find(request: SignedInRequest, key: UUID, delivery_key: UUID) -> Delivery:
    rows = Delivery.objects.filter(endpoint__in=own(request), endpoint=key)
    found: Delivery = get_object_or_404(rows.select_related("endpoint"), id=delivery_key)
    return found
