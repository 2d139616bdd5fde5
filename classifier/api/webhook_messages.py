"""What is sent to webhooks, for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiWebhook, extend_schema
from rest_framework import serializers

from classifier.api.serializers import ErrorSerializer, LabelSerializer
from classifier.models import Status

Shape = serializers.Serializer[Any]
ENDED = (Status.SUCCEEDED, Status.FAILED, Status.CANCELED)


class MessageDataSerializer(Shape):
    """What happened to which prediction; `GET predictions/{id}/` tells the rest."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Status.choices)
    model = serializers.CharField()
    version = serializers.IntegerField()
    batch = serializers.UUIDField(allow_null=True)
    output = LabelSerializer(many=True, allow_null=True)
    error = ErrorSerializer(allow_null=True)
    metadata = serializers.DictField(allow_null=True)
    omitted = serializers.ListField(
        child=serializers.ChoiceField(choices=["metadata", "output", "error"]),
        help_text="What was left out, and is null, because the message would be too long with it.",
    )


class MessageSerializer(Shape):
    """A message about a prediction, below 20 kB."""

    type = serializers.ChoiceField(
        choices=["prediction.started", *(f"prediction.{status}" for status in ENDED)]
    )
    timestamp = serializers.DateTimeField(help_text="When it happened.")
    data = MessageDataSerializer()  # type: ignore[assignment]


PREDICTION = OpenApiWebhook(
    "prediction",
    extend_schema(
        summary="A prediction has begun or ended",
        description="Signed as Standard Webhooks 1.0.0 has it, in the headers `webhook-id`, "
        "`webhook-timestamp` and `webhook-signature`. Any 2xx takes it; 410 ends all messages; "
        "after anything else it is sent again, ten times in all over three days.",
        request=MessageSerializer,
        responses={"2XX": None},
    ),
)
