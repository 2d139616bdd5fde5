"""The models that classify here: what each one is, and how it is computed."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from classifier.models import ModelVersion
from classifier.queries import catalogue, ways
from classifier.queries import evaluations as queries
from classifier.web import chart, curves, robustness
from classifier.web.forms import EvaluationForm
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
    epochs = found.training.get("epochs", [])
    context = {
        "version": found,
        "evaluations": queries.evaluations_of(found),
        "evaluation_form": EvaluationForm() if request.user.is_staff else None,
        "losses": curves.plot(epochs, {"loss": _("training"), "validation_loss": _("validation")}),
        "accuracies": curves.plot(epochs, {"accuracy": _("validation")}),
        "serves": found == catalogue.serving_version(),
        "robustness": robustness.shown(found.metrics.get("robustness")),
        "per_class": found.metrics.get("per_class", {}).items(),
        "ways": known,
        "has_accuracy": any(way.figures.accuracy is not None for way in known),
        "measurements": ways.measurements(known),
        "chart": chart.draw(known),
    }
    return render(request, "pages/model.html", context)
