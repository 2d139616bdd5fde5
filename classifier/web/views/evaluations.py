"""Evaluations: asked for by staff, watched while they are worked on, read by everybody."""

import uuid

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from classifier.actions.evaluations import delete_evaluation, request_evaluation
from classifier.models import Evaluation, ModelVersion
from classifier.queries import evaluations as queries
from classifier.web import curves
from classifier.web.forms import EvaluationForm
from classifier.web.requests import SignedInRequest


@require_POST
def evaluate(request: SignedInRequest, name: str, version: int) -> HttpResponse:
    _require_staff(request)
    found = get_object_or_404(ModelVersion, name=name, version=version)
    form = EvaluationForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose one of the data sets that there are."))
        return redirect("model", name, version)
    evaluation = request_evaluation(found, form.dataset, form.location, request.user)
    return redirect("evaluation", evaluation.id)


@never_cache
@require_safe
def evaluation(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    rows = Evaluation.objects.select_related("model_version")
    found = get_object_or_404(rows, id=key)
    report = found.figures
    context = {"evaluation": found, "report": report}
    if report:
        context |= {
            "matrix": queries.matrix(report),
            "confusions": queries.confusions(report),
            "beside": queries.beside(found),
            "reliability": curves.reliability(report),
        }
    page = "partials/evaluation.html" if request.htmx else "pages/evaluation.html"
    return render(request, page, context)


@require_safe
def mistake(request: SignedInRequest, key: uuid.UUID, number: int) -> HttpResponse:
    """The picture of a mistake. It may be somebody's, so that it is for staff alone."""
    _require_staff(request)
    found = get_object_or_404(Evaluation.objects.light(), id=key)
    pictures = [one["picture"] for one in found.figures.get("mistakes", [])]
    try:
        with default_storage.open(pictures[number]) as file:
            response = HttpResponse(file.read(), content_type="image/webp")
    except (IndexError, FileNotFoundError) as error:
        raise Http404 from error
    response.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return response


@require_POST
def delete(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    _require_staff(request)
    found = get_object_or_404(Evaluation.objects.light().select_related("model_version"), id=key)
    delete_evaluation(found)
    messages.success(request, _("The evaluation is deleted."))
    return redirect("model", found.model_version.name, found.model_version.version)


def _require_staff(request: SignedInRequest) -> None:
    if not request.user.is_staff:
        raise PermissionDenied
