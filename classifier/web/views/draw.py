"""A pad to write on, for a model that reads handwriting."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.images import CONTENT_TYPES
from classifier.models import ModelVersion
from classifier.web.requests import SignedInRequest


@require_safe
def draw(request: SignedInRequest) -> HttpResponse:
    """The drawing goes where every picture goes, the page of uploads, and names the model."""
    version = ModelVersion.objects.reading_ink().by_precedence().first()
    if version is None:
        raise Http404
    return render(request, "pages/draw.html", {"version": version, "accept": CONTENT_TYPES})
