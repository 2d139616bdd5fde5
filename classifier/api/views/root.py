"""The first address of the API: where everything else is."""

from collections.abc import Sequence

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from classifier.models import Scope

ADDRESSES = {
    "type": "object",
    "additionalProperties": {"type": "string", "format": "uri"},
}


class Sightline(APIView):
    """Images in, classes out. Every address below answers programs with JSON."""

    scopes: dict[str, Scope | None] = {"GET": None}
    names: Sequence[str] = ()

    @extend_schema(operation_id="root", tags=["about"], responses={200: ADDRESSES})
    def get(self, request: Request) -> Response:
        """List what there is, by name, with its address."""
        return Response({name: reverse(f"api:{name}", request=request) for name in self.names})
