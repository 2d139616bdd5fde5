"""The pictures of predictions."""

from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseNotModified
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.views import APIView

from classifier.actions.render import Rendition, rendition
from classifier.api import headers
from classifier.api.etags import is_known
from classifier.api.negotiation import WhateverIsPreferred
from classifier.api.requests import SignedInRequest
from classifier.api.slips import fault, wrong
from classifier.api.views.predictions import find, own
from classifier.models import Image, Scope


class PredictionImage(APIView):
    """The picture of a prediction."""

    scopes = {"GET": Scope.PREDICTIONS_READ}
    renderer_classes = [JSONRenderer]  # of refusals
    content_negotiation_class = WhateverIsPreferred

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "size",
                enum=Rendition.values,
                default=Rendition.PICTURE.value,
                description="At most 400 or 1600 pixels on the longer side.",
            ),
            headers.IF_NONE_MATCH,
        ],
        responses={(200, "image/webp"): OpenApiTypes.BINARY, 304: None},
    )
    def get(self, request: SignedInRequest, key: UUID) -> HttpResponseBase:
        """Fetch the picture as WebP, upright and without the metadata of cameras."""
        size = request.query_params.get("size", Rendition.PICTURE)
        if size not in Rendition:
            known = ", ".join(Rendition.values)
            raise wrong(fault("size", "invalid", f"This must be one of {known}."))
        image = find(own(request).select_related("image"), key).image
        etag = f'"{image.sha256}-{size}"'
        told = {"ETag": etag, "Cache-Control": "private, max-age=86400"}
        if is_known(request, etag):
            return HttpResponseNotModified(headers=told)
        return HttpResponse(_picture(image, Rendition(size)), "image/webp", headers=told)


def _picture(image: Image, kind: Rendition) -> bytes:
    try:
        return rendition(image, kind)
    except FileNotFoundError as error:
        raise Http404 from error
