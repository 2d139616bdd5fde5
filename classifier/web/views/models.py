"""The models that classify here: what each one is, and how it is computed."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.models import ModelVersion
from classifier.queries import catalogue, ways
from classifier.web import chart
from classifier.web.requests import SignedInRequest


@require_safe
def models(request: SignedInRequest) -> HttpResponse:
    found = catalogue.models_of(catalogue.model_names())
    return render(request, "pages/models.html", {"models": found})


@require_safe
def model(request: SignedInRequest, name: str, version: int) -> HttpResponse:
    try:
        found = ModelVersion.objects.named(f"{name}@{version}")
    except ModelVersion.DoesNotExist as error:
        raise Http404 from error
    known = ways.ways_of(found)
    context = {
        "version": found,
        "serves": found == catalogue.serving_version(),
        "per_class": found.metrics.get("per_class", {}).items(),
        "ways": known,
        "has_accuracy": any(way.figures.accuracy is not None for way in known),
        "measurements": ways.measurements(known),
        "chart": chart.draw(known),
    }
    return render(request, "pages/model.html", context)
