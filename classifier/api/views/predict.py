"""The `/predict` of the tutorials: one image in, one answer out, in the words of all of them."""

from collections import defaultdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.actions.submit import Order
from classifier.api.bodies import BINARY
from classifier.api.headers import CACHE_CONTROL
from classifier.api.now import classify_now
from classifier.api.parsers import ImageParser, JSONParser
from classifier.api.problems import Problem
from classifier.api.requests import SignedInRequest, may_be_cached
from classifier.api.schema import refusals
from classifier.api.tutorials import FORM, JSON, read_image
from classifier.models import ModelVersion, Prediction, Scope, Source
from classifier.models.prediction import SHOWN_LABELS

DIGITS = 6  # behind the point, as in the output of a prediction
ANSWER = inline_serializer(
    "PredictAnswer",
    {
        "class": serializers.CharField(help_text="The best label."),
        "prediction": serializers.CharField(help_text="The best label."),
        "confidence": serializers.FloatField(help_text="Its probability."),
        "class_id": serializers.CharField(help_text="Its place among the model's classes."),
        "class_name": serializers.CharField(help_text="The best label."),
        "probabilities": serializers.DictField(
            child=serializers.FloatField(), help_text="Of every label, best first."
        ),
        "predictions": inline_serializer(
            "PredictLabel",
            {"label": serializers.CharField(), "probability": serializers.FloatField()},
            many=True,
        ),
        "success": serializers.BooleanField(),
    },
)


class Predict(APIView):
    """What the tutorials call their server."""

    parser_classes = [JSONParser, MultiPartParser, ImageParser]
    scopes = {"POST": Scope.PREDICTIONS_WRITE}

    @extend_schema(
        operation_id="predict",
        parameters=[
            OpenApiParameter("model", description="Another model than the one that serves."),
            CACHE_CONTROL,
        ],
        request={"multipart/form-data": FORM, "application/json": JSON, "image/*": BINARY},
        responses={200: ANSWER, **refusals(503, 504, 507)},
    )
    def post(self, request: SignedInRequest) -> Response:
        """Classify an image at once, as the tutorials' clients ask for it.

        Numbers are greys of a square in one list, such as 784 for 28×28, or rows of pixels. What
        is not named here is not looked at.
        """
        version = _find(request.query_params.get("model", ""))
        content, name = read_image(request)
        order = Order(
            request.user,
            version,
            Source.PREDICT,
            keeps_probabilities=True,
            may_be_cached=may_be_cached(request),
        )
        return Response(describe(classify_now(order, content, name), version))


def describe(prediction: Prediction, version: ModelVersion) -> dict[str, Any]:
    """The answer, under every name that the tutorials have for its parts."""
    scores = prediction.class_scores or []
    best = max(range(len(scores)), key=scores.__getitem__)
    label = version.labels[best]
    return {
        "class": label,
        "prediction": label,
        "confidence": round(scores[best], DIGITS),
        "class_id": str(best),
        "class_name": label,
        "probabilities": _by_label(version.labels, scores),
        "predictions": [
            {"label": item["label"], "probability": item["score"]}
            for item in (prediction.output or [])[:SHOWN_LABELS]
        ],
        "success": True,
    }


def _by_label(labels: list[str], scores: list[float]) -> dict[str, float]:
    """The probability of each label, best first; classes of the same label share one."""
    sums: defaultdict[str, float] = defaultdict(float)
    for label, score in zip(labels, scores, strict=True):
        sums[label] += score
    best_first = sorted(sums.items(), key=lambda item: -item[1])
    return {label: round(score, DIGITS) for label, score in best_first}


def _find(reference: str) -> ModelVersion:
    try:
        return ModelVersion.objects.asked_for(reference)
    except ModelVersion.DoesNotExist as error:
        slug = "unknown_model" if reference else "no_model"
        raise Problem(slug) from error
