"""Pictures, for their owner and staff only."""

import uuid

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from classifier.actions.render import Rendition, rendition
from classifier.models import Image
from classifier.web.requests import SignedInRequest

# A picture never changes, only goes; a day bounds how long a browser keeps one that was deleted.
CACHE_CONTROL = "private, max-age=86400, immutable"


@require_safe
def image(request: SignedInRequest, key: uuid.UUID, kind: str) -> HttpResponseBase:
    if kind not in Rendition:
        raise Http404
    found = get_object_or_404(Image.objects.visible_to(request.user), id=key)
    etag = f'"{found.sha256}-{kind}"'
    response = get_conditional_response(request, etag=etag) or _picture(found, Rendition(kind))
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = CACHE_CONTROL
    return response


def _picture(found: Image, kind: Rendition) -> HttpResponse:
    try:
        content = rendition(found, kind)
    except FileNotFoundError as error:
        raise Http404 from error
    return HttpResponse(content, content_type="image/webp")
