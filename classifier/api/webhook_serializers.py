"""Webhooks in the API: what one sends, and how they are shown."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from classifier.addresses import MOST_CHARACTERS
from classifier.api.representations import Object, base_url, show_time
from classifier.models import Delivery, DeliveryStatus, Endpoint, Event

Shape = serializers.Serializer[Any]


class Text(serializers.CharField):
    """A text: a number is none."""

    def to_internal_value(self, data: Any) -> str:
        """Take it as it is."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Truth(serializers.BooleanField):
    """true or false, and no other word for it."""

    def to_internal_value(self, data: Any) -> bool:
        """Take it as it is."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class EndpointInput(Shape):
    """What one may say of a webhook."""

    url = Text(max_length=MOST_CHARACTERS, trim_whitespace=False)
    description = Text(
        max_length=Endpoint._meta.get_field("description").max_length,
        required=False,
        allow_blank=True,
    )
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=Event.choices), required=False, allow_empty=False
    )
    enabled = Truth(required=False)


PROPERTIES: dict[str, Any] = {
    "url": {
        "type": "string",
        "format": "uri",
        "minLength": 1,
        "maxLength": MOST_CHARACTERS,
        "description": "A public https address that takes POST requests.",
    },
    "description": {"type": "string", "maxLength": 200, "description": "To know it again."},
    "events": {
        "type": "array",
        "items": {"type": "string", "enum": Event.values},
        "minItems": 1,
        "description": "What it is told of; `completed` if you do not say.",
    },
    "enabled": {"type": "boolean", "description": "Nothing is sent to one that is not."},
}
CHANGES = {
    "application/json": {
        "type": "object",
        "properties": PROPERTIES,
        "additionalProperties": False,
    }
}
NEW = {"application/json": {**CHANGES["application/json"], "required": ["url"]}}


class EndpointUrls(Shape):
    get = serializers.URLField()
    secret = serializers.URLField()
    rotate = serializers.URLField()
    deliveries = serializers.URLField()
    test = serializers.URLField(allow_null=True)


class EndpointSerializer(Shape):
    """An address that is told of one's predictions."""

    id = serializers.UUIDField()
    url = serializers.CharField(
        allow_null=True, help_text="null for the one of the addresses given with requests."
    )
    description = serializers.CharField()
    events = serializers.ListField(child=serializers.ChoiceField(choices=Event.choices))
    enabled = serializers.BooleanField()
    disabled_at = serializers.DateTimeField(allow_null=True)
    disabled_reason = serializers.CharField(allow_null=True, help_text="If it was not you.")
    created_at = serializers.DateTimeField()
    urls = EndpointUrls()


class SecretSerializer(Shape):
    """What signs the messages, as Standard Webhooks has it."""

    secret = serializers.CharField(help_text="`whsec_` and base64.")
    previous_secret = serializers.CharField(
        allow_null=True, help_text="Signs too, for 24 hours after a rotation."
    )
    previous_secret_until = serializers.DateTimeField(allow_null=True)


class EndpointWithSecretSerializer(EndpointSerializer, SecretSerializer):
    """A webhook with its secret."""


class DeliveryUrls(Shape):
    get = serializers.URLField()
    redeliver = serializers.URLField()
    prediction = serializers.URLField(allow_null=True)


class DeliverySerializer(Shape):
    """One message, and what became of it."""

    id = serializers.UUIDField()
    message_id = serializers.CharField(help_text="The `webhook-id` that it carries.")
    url = serializers.CharField()
    type = serializers.CharField()
    status = serializers.ChoiceField(choices=DeliveryStatus.choices)
    attempts = serializers.IntegerField(min_value=0)
    response_code = serializers.IntegerField(allow_null=True, help_text="Of the latest attempt.")
    error = serializers.CharField(allow_null=True, help_text="Of the latest attempt, in words.")
    payload = serializers.DictField()
    created_at = serializers.DateTimeField()
    attempted_at = serializers.DateTimeField(allow_null=True)
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    urls = DeliveryUrls()


def show_endpoint(request: Request, endpoint: Endpoint) -> Object:
    """A webhook without its secret."""
    webhooks = f"{base_url(request)}webhooks/"
    own = f"{webhooks}{endpoint.id}/"
    return {
        "id": str(endpoint.id),
        "url": endpoint.url or None,
        "description": endpoint.description,
        "events": endpoint.events,
        "enabled": endpoint.is_enabled,
        "disabled_at": show_time(endpoint.disabled_at),
        "disabled_reason": endpoint.disabled_reason or None,
        "created_at": show_time(endpoint.created_at),
        "urls": {
            "get": own if endpoint.url else f"{webhooks}default/",
            "secret": f"{own}secret/",
            "rotate": f"{own}rotate/",
            "deliveries": f"{own}deliveries/",
            "test": f"{own}test/" if endpoint.url else None,
        },
    }


def show_secret(endpoint: Endpoint) -> Object:
    """The secret, and the one before while it signs too."""
    rotated = len(endpoint.valid_secrets) > 1
    return {
        "secret": endpoint.secret,
        "previous_secret": endpoint.previous_secret if rotated else None,
        "previous_secret_until": show_time(endpoint.previous_secret_until) if rotated else None,
    }


def show_delivery(request: Request, delivery: Delivery) -> Object:
    """A message with all that is known of it."""
    base = base_url(request)
    own = f"{base}webhooks/{delivery.endpoint_id}/deliveries/{delivery.id}/"
    about = delivery.prediction_id
    pending = delivery.status == DeliveryStatus.PENDING
    return {
        "id": str(delivery.id),
        "message_id": delivery.message_id,
        "url": delivery.url,
        "type": delivery.type,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "response_code": delivery.response_code,
        "error": delivery.error or None,
        "payload": delivery.payload,
        "created_at": show_time(delivery.created_at),
        "attempted_at": show_time(delivery.attempted_at),
        "next_attempt_at": show_time(delivery.due_at) if pending else None,
        "completed_at": show_time(delivery.completed_at),
        "urls": {
            "get": own,
            "redeliver": f"{own}redeliver/",
            "prediction": f"{base}predictions/{about}/" if about else None,
        },
    }
