"""Hugging Face's image-classification call, on the address of a model.

Its clients send the bytes of an image as they are, or JSON with base64 when they have parameters,
and read a bare list of labels and scores.
"""

from collections.abc import Sequence
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.parsers import BaseParser, DataAndFiles, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.actions.submit import Order
from classifier.api.bodies import BINARY, IMAGE
from classifier.api.headers import CACHE_CONTROL
from classifier.api.inputs import NAMELESS
from classifier.api.now import classify_now, read_file, wrong
from classifier.api.parsers import ImageParser, JSONParser
from classifier.api.problems import Problem
from classifier.api.requests import SignedInRequest, may_be_cached
from classifier.api.schema import refusals
from classifier.encoded import decode_image
from classifier.images import InvalidImage
from classifier.models import ModelVersion, Source
from classifier.models.prediction import SHOWN_LABELS

FUNCTION = "softmax"  # what makes scores of the network's numbers, here as with Hugging Face


class BytesParser(ImageParser):
    """The bytes of an image, whatever the client calls them."""

    media_type = "*/*"


class MisnamedParser(ImageParser):
    """The bytes of an image that curl calls a form, where nobody tells it better."""

    media_type = "application/x-www-form-urlencoded"

    def parse(self, *args: Any, **kwargs: Any) -> "DataAndFiles[Any, Any]":
        """A form with one file, as whoever looks for a CSRF token in it expects."""
        file = SimpleUploadedFile(NAMELESS, super().parse(*args, **kwargs))
        return DataAndFiles(QueryDict(), MultiValueDict({NAMELESS: [file]}))


REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "inputs": IMAGE,
        "parameters": {
            "type": ["object", "null"],
            "properties": {
                "top_k": {
                    "type": ["integer", "null"],
                    "minimum": 1,
                    "description": f"How many labels; {SHOWN_LABELS} if you do not say.",
                },
                "function_to_apply": {"enum": [FUNCTION, None]},
            },
        },
    },
}
ANSWER = inline_serializer(
    "HuggingFaceLabel",
    {"label": serializers.CharField(), "score": serializers.FloatField()},
    many=True,
)


class ImageClassification:
    """Gives the view of a model, which has its `name` and perhaps `version`, this call as POST."""

    parser_classes: Sequence[type[BaseParser]] = [
        JSONParser,
        MultiPartParser,
        MisnamedParser,
        BytesParser,
    ]

    @extend_schema(
        parameters=[CACHE_CONTROL],
        request={
            "application/json": REQUEST,
            "image/*": BINARY,
            "application/octet-stream": BINARY,
        },
        responses={200: ANSWER, **refusals(503, 504, 507)},
    )
    def post(self, request: SignedInRequest, name: str, version: int | str = "") -> Response:
        """Classify an image at once, as Hugging Face's clients ask for it.

        The answer is the bare list of labels, best first. Of JSON, what is not named here is not
        looked at.
        """
        found = _find(name, version)
        content, top_k = _read(request)
        top_k = top_k and min(top_k, len(found.labels))
        fresh_or_not = may_be_cached(request)
        order = Order(request.user, found, Source.API, top_k=top_k, may_be_cached=fresh_or_not)
        return Response(classify_now(order, content, NAMELESS).answer)


def _find(name: str, version: int | str) -> ModelVersion:
    try:
        return ModelVersion.objects.named(f"{name}@{version}")
    except ModelVersion.DoesNotExist as error:
        raise Problem("not_found", "There is no such model here.") from error


def _read(request: Request) -> tuple[bytes, int | None]:
    """The image, and how many labels are wanted."""
    body: object = request.data
    if isinstance(body, bytes):
        return body, None
    if isinstance(body, QueryDict):
        files = [file for _, several in request.FILES.lists() for file in several]
        return read_file(files)[0], None
    if not isinstance(body, dict):
        raise wrong("", "The body must be a JSON object, or the bytes of an image.")
    parameters = body.get("parameters")
    if not isinstance(parameters, dict | None):
        raise wrong("/parameters", "The parameters must be an object.")
    top_k = _read_parameters(parameters or {})
    try:
        return decode_image(body.get("inputs")), top_k
    except InvalidImage as error:
        raise wrong("/inputs", str(error), error.code) from error


def _read_parameters(parameters: dict[str, Any]) -> int | None:
    if parameters.get("function_to_apply") not in (None, FUNCTION):
        raise wrong("/parameters/function_to_apply", f"Only {FUNCTION} is applied here.")
    top_k = parameters.get("top_k")
    if top_k is None:
        return None
    if type(top_k) is not int or top_k < 1:
        raise wrong("/parameters/top_k", "A whole number from 1 is needed.")
    return top_k
