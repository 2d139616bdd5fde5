"""The first page: pictures come in, each accepted or refused by itself."""

import logging
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from classifier.actions.submit import Order, submit
from classifier.images import CONTENT_TYPES, FORMATS_TEXT, InvalidImage, check_size, verify
from classifier.models import ModelVersion, Prediction
from classifier.web import cards
from classifier.web.forms import UploadForm
from classifier.web.requests import SignedInRequest

RECENT = 8

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refusal:
    """A file that was not accepted, and why."""

    name: str
    code: str
    reason: str

    @property
    def status(self) -> int:
        return {"too_large": 413, "storage": 507}.get(self.code, 422)


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def upload(request: SignedInRequest) -> HttpResponse:
    try:
        serving = ModelVersion.objects.serving()
    except ModelVersion.DoesNotExist:
        return render(request, "pages/no_model.html", status=503)
    if request.method != "POST":
        return _page(request, UploadForm(serving=serving))
    form = UploadForm(request.POST, serving=serving)
    files = request.FILES.getlist("image")
    if not form.is_valid():
        return _page(request, form, status=422)
    if not files:
        nothing = Refusal(_("No picture"), "missing", _("Choose at least one picture."))
        return _page(request, form, [nothing], status=422)
    order = Order(request.user, form.cleaned_data["model"])
    outcomes = [_take(order, file) for file in files]
    if request.htmx:
        return _fragments(request, outcomes)
    return _answer(request, form, outcomes)


def _take(order: Order, file: "UploadedFile[Any]") -> Prediction | Refusal:
    name = file.name or _("picture")
    try:
        check_size(file.size or 0)
        return submit(order, verify(file.read()), name)
    except InvalidImage as error:
        return Refusal(name, error.code, str(error))
    except OSError:
        logger.exception("an upload could not be stored")
        return Refusal(name, "storage", _("The server could not store the file. Try again later."))


def _fragments(request: SignedInRequest, outcomes: list[Prediction | Refusal]) -> HttpResponse:
    """For the page's script: a card for each file, in the order in which they were sent."""
    drawn = [
        outcome if isinstance(outcome, Refusal) else cards.draw([outcome])[0]
        for outcome in outcomes
    ]
    status = max((o.status for o in outcomes if isinstance(o, Refusal)), default=201)
    return render(request, "partials/outcomes.html", {"outcomes": drawn}, status=status)


def _answer(
    request: SignedInRequest, form: UploadForm, outcomes: list[Prediction | Refusal]
) -> HttpResponse:
    """For a form sent without a script: go where the answers will be, and say what was refused."""
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Prediction)]
    if not accepted:
        return _page(request, form, refused, status=max(refusal.status for refusal in refused))
    for refusal in refused:
        messages.error(request, f"{refusal.name}: {refusal.reason}")
    if len(accepted) == 1:
        return redirect("prediction", accepted[0].id)
    taken = ngettext("%(count)d picture accepted.", "%(count)d pictures accepted.", len(accepted))
    messages.success(request, taken % {"count": len(accepted)})
    return redirect("history")


def _page(
    request: SignedInRequest, form: UploadForm, refused: list[Refusal] | None = None, **kwargs: int
) -> HttpResponse:
    recent = Prediction.objects.filter(owner=request.user).select_related("image")[:RECENT]
    drawn = cards.draw(recent)
    context = {
        "form": form,
        "refused": refused,
        "cards": drawn,
        "pending": cards.any_pending(drawn),
        "accept": CONTENT_TYPES,
        "formats": FORMATS_TEXT,
        "max_bytes": settings.UPLOAD_MAX_BYTES,
        "can_draw": ModelVersion.objects.reading_ink().exists(),
        "bundled": form.serving if form.serving.name == settings.BUNDLED_MODEL else None,
        "fetch_failed": settings.BETTER_MODEL_FAILED.exists(),
    }
    return render(request, "pages/upload.html", context, **kwargs)  # type: ignore[arg-type]
