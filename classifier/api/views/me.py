"""Who calls, what they may, and what they use."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.api.requests import SignedInRequest
from classifier.api.throttling import TOKEN, USER, counts_of
from classifier.models import Scope
from classifier.queries.usage import usage_of


class MeUser(serializers.Serializer[Any]):
    username = serializers.CharField()
    is_staff = serializers.BooleanField(help_text="May review, with the scope for it.")


class MeToken(serializers.Serializer[Any]):
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="How the token begins.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.values))
    expires_at = serializers.DateTimeField(allow_null=True)


class MeLimits(serializers.Serializer[Any]):
    requests_per_minute_per_user = serializers.IntegerField(help_text="0: as many as come.")
    requests_per_minute_per_token = serializers.IntegerField(help_text="0: as many as come.")
    image_bytes = serializers.IntegerField()
    image_pixels = serializers.IntegerField()
    body_bytes = serializers.IntegerField(help_text="Of a request in JSON.")
    form_bytes = serializers.IntegerField(help_text="Of a multipart form with all its files.")
    images_per_request = serializers.IntegerField()


class MeRequests(serializers.Serializer[Any]):
    user = serializers.IntegerField(allow_null=True)
    token = serializers.IntegerField(allow_null=True)


class MeUsage(serializers.Serializer[Any]):
    requests_this_minute = MeRequests(help_text="Null where nothing is counted.")
    predictions = serializers.IntegerField()
    waiting = serializers.IntegerField(help_text="Predictions that have not ended.")
    images = serializers.IntegerField()
    bytes = serializers.IntegerField(help_text="Of all images.")


class MeSerializer(serializers.Serializer[Any]):
    user = MeUser()
    token = MeToken(allow_null=True, help_text="Null with a session.")
    limits = MeLimits()
    usage = MeUsage()


class Me(APIView):
    """Who calls, what they may, and what they use."""

    scopes: dict[str, Scope | None] = {"GET": None}

    @extend_schema(operation_id="me", tags=["about"], responses=MeSerializer)
    def get(self, request: SignedInRequest) -> Response:
        """Tell who calls, what they may, and what they use."""
        me = {
            "user": request.user,
            "token": request.auth,
            "limits": _limits(),
            "usage": _usage(request),
        }
        return Response(MeSerializer(me).data)


def _limits() -> dict[str, int]:
    return {
        "requests_per_minute_per_user": settings.API_RATE_PER_USER,
        "requests_per_minute_per_token": settings.API_RATE_PER_TOKEN,
        "image_bytes": settings.UPLOAD_MAX_BYTES,
        "image_pixels": settings.UPLOAD_MAX_PIXELS,
        "body_bytes": settings.API_MAX_BODY_BYTES,
        "form_bytes": settings.UPLOAD_MAX_REQUEST_BYTES,
        "images_per_request": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
    }


def _usage(request: SignedInRequest) -> dict[str, Any]:
    counts = counts_of(request)
    return {
        "requests_this_minute": {"user": counts.get(USER), "token": counts.get(TOKEN)},
        **vars(usage_of(request.user)),
    }
