"""One's own predictions: all of them, one of them, and what can be done with it."""

import uuid

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import trigger_client_event

from classifier.actions import submit
from classifier.actions.cancel import cancel_one
from classifier.actions.delete import delete_prediction
from classifier.actions.submit import Order
from classifier.models import Image, Prediction
from classifier.web import cards, paging
from classifier.web.forms import HistoryForm
from classifier.web.requests import SignedInRequest
from classifier.web.snippets import classify_snippets, read_snippets

PAGE_SIZE = 24
# A page reports the states of its first pending cards only, so that the address stays short
# however many pictures were dropped at once. templates/partials/live.html names the same number.
SEEN_AT_MOST = 40


@require_safe
def history(request: SignedInRequest) -> HttpResponse:
    form = HistoryForm(request.GET)
    page = _page(_own(request), **form.wanted)
    drawn = cards.draw(page.rows)
    context = {
        "form": form,
        "page": page,
        "cards": drawn,
        "pending": cards.any_pending(drawn),
        "filtered": bool(form.wanted.keys() & {"label", "status"}),
    }
    return render(request, "pages/history.html", context)


@require_safe
def status(request: SignedInRequest) -> HttpResponse:
    """The cards that look different from what the page shows, and whether to go on asking."""
    states = request.GET.getlist("seen")
    seen = cards.parse_states(states)
    drawn = cards.draw(_own(request).filter(id__in=seen))
    changed = [card for card in drawn if card.state != seen[card.prediction.id]]
    context = {
        "changed": changed,
        "gone": seen.keys() - {card.prediction.id for card in drawn},
        "done": [card.prediction for card in changed if not card.prediction.is_pending],
        # Where the list was cut off, the next request brings the rest.
        "pending": cards.any_pending(drawn) or len(states) >= SEEN_AT_MOST,
    }
    return render(request, "partials/changes.html", context)


@require_safe
@vary_on_headers("HX-Request")
def prediction(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    found = Prediction.objects.with_details().defer("model_version__spec")
    [card] = cards.draw([get_object_or_404(found, owner=request.user, id=key)])
    if request.htmx and request.GET.get("seen") == card.state:
        return HttpResponse(status=204)
    template = "partials/answer.html" if request.htmx else "pages/prediction.html"
    context = {
        "card": card,
        "prediction": card.prediction,
        "reading": read_snippets(request, card.prediction),
        "classifying": classify_snippets(request),
    }
    return render(request, template, context)


@require_POST
def cancel(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    canceled = cancel_one(get_object_or_404(_own(request), id=key))
    if request.htmx:  # the page asks anew what has changed
        return trigger_client_event(HttpResponse(status=204), "wake")
    if not canceled:
        messages.warning(request, _("Too late to cancel: a worker had begun with this picture."))
    return redirect("prediction", key)


@require_POST
def rerun(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    """Classify the picture once more by the same model version, and go where the answer will be."""
    again = get_object_or_404(_own(request).select_related("model_version"), id=key)
    try:
        made = submit.rerun(again, Order(request.user, again.model_version))
    except Image.DoesNotExist:
        raise Http404 from None
    return redirect("prediction", made.id)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(_own(request), id=key)
    if request.method != "POST":
        return render(request, "pages/delete.html", {"prediction": found})
    delete_prediction(found)
    messages.success(request, _("%(name)s was deleted.") % {"name": found.image.original_name})
    return redirect("history")


def _own(request: SignedInRequest) -> QuerySet[Prediction]:
    """Staff too see only their own here; they have the admin for the rest."""
    return Prediction.objects.filter(owner=request.user).select_related("image")


def _page(
    rows: QuerySet[Prediction],
    *,
    label: str = "",
    status: str = "",
    before: uuid.UUID | None = None,
    after: uuid.UUID | None = None,
) -> paging.Page[Prediction]:
    if label:
        rows = rows.filter(top_label__icontains=label)
    if status:
        rows = rows.filter(status=status)
    if after:
        return paging.after(rows, after, PAGE_SIZE)
    return paging.before(rows, before, PAGE_SIZE)
