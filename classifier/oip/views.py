"""The Open Inference Protocol, version 2, over HTTP: one view for each of its calls."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse, QueryDict
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from classifier import __version__
from classifier.actions.answer import answer
from classifier.actions.submit import Order
from classifier.freshness import asks_anew
from classifier.models import ModelVersion, Scope, Source, User
from classifier.oip import inputs, outputs
from classifier.oip.bodies import read_body
from classifier.oip.errors import Refused, handle
from classifier.queries.health import failing

EXTENSIONS = ["classification", "binary_tensor_data"]
PLATFORMS = {"torch": "pytorch_safetensors"}  # by engine


class OneFormat(BaseContentNegotiation):
    """The protocol has one format, whatever the client says that it accepts."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser:
        return Untouched()

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[JSONRenderer, str]:
        return JSONRenderer(), "application/json"


class Untouched(BaseParser):
    """Leaves the body to the view. Whoever looks for a form's CSRF token in it finds none."""

    media_type = "*/*"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> QueryDict:
        return QueryDict()


@method_decorator(never_cache, name="dispatch")
class ProtocolView(APIView):
    """Who may call is as everywhere; what is refused, is so in the protocol's own form."""

    schema = None  # it has a specification of its own
    content_negotiation_class = OneFormat
    parser_classes = [Untouched]
    scopes: dict[str, Scope | None] = {"GET": Scope.MODELS_READ}

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], HttpResponse | None]:
        return handle


class Health(ProtocolView):
    """For probes, which have no token."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []
    throttle_classes: list[type] = []


class Live(Health):
    def get(self, request: Request) -> HttpResponse:
        return JsonResponse({"live": True})


class Ready(Health):
    def get(self, request: Request) -> HttpResponse:
        """`live` is the key in the protocol's text, `ready` the one that its clients look for."""
        ready = not failing()
        return JsonResponse({"live": True, "ready": ready}, status=200 if ready else 503)


class Server(ProtocolView):
    def get(self, request: Request) -> HttpResponse:
        return JsonResponse({"name": "sightline", "version": __version__, "extensions": EXTENSIONS})


class Model(ProtocolView):
    def get(self, request: Request, name: str, version: str = "") -> HttpResponse:
        found = find_version(name, version)
        versions = ModelVersion.objects.filter(name=name).order_by("version")
        return JsonResponse(
            {
                "name": found.name,
                "versions": [str(number) for number in versions.values_list("version", flat=True)],
                "platform": PLATFORMS.get(found.engine, found.engine),
                "inputs": inputs.METADATA,
                "outputs": outputs.metadata(found),
            }
        )


class ModelReady(ProtocolView):
    def get(self, request: Request, name: str, version: str = "") -> HttpResponse:
        found = find_version(name, version)
        ready = not failing()
        return JsonResponse({"name": found.name, "ready": ready}, status=200 if ready else 503)


class SignedInRequest(Request):
    """What a view may rely on where a scope is needed."""

    user: User


class Infer(ProtocolView):
    scopes = {"POST": Scope.PREDICTIONS_WRITE}

    def post(self, request: SignedInRequest, name: str, version: str = "") -> HttpResponse:
        found = find_version(name, version)
        body = read_body(request)
        wanted = outputs.read_wanted(body)
        images = inputs.read_images(body.inputs)
        order = Order(
            request.user,
            found,
            Source.OIP,
            keeps_probabilities=True,
            may_be_cached=not asks_anew(request.headers.get("Cache-Control", "")),
        )
        predictions = answer(order, images, settings.ANSWER_SECONDS)
        scores = [prediction.class_scores or [] for prediction in predictions]
        return outputs.respond(body, wanted, found, scores)


def find_version(name: str, version: str) -> ModelVersion:
    """A model version by name, and by number where one is given.

    Raises:
        Refused: if there is none.
    """
    reference = f"{name}@{version}" if version else name
    try:
        return ModelVersion.objects.named(reference)
    except ModelVersion.DoesNotExist as error:
        number = f", version {version}" if version else ""
        reason = f"There is no model {name}{number} here. GET /api/v1/models/ lists what there is."
        raise Refused(reason, 404) from error
