"""One's webhooks: the addresses that are told of one's predictions, and what became of it."""

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from classifier.actions import webhooks as actions
from classifier.addresses import RefusedAddress
from classifier.models import Delivery, Endpoint
from classifier.models.webhook import EndpointQuerySet
from classifier.web import paging
from classifier.web.forms import EndpointForm
from classifier.web.requests import SignedInRequest

PAGE_SIZE = 20
RECOGNISED_BY = 8  # the last characters of a secret, to know it by


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: SignedInRequest) -> HttpResponse:
    form = EndpointForm(request.POST if request.method == "POST" else None)
    added = _saved(form, lambda: actions.add(request.user, **form.cleaned_data))
    if added:
        messages.success(request, _("The webhook is there. Send a test to see whether it works."))
        return redirect("webhook", added.id)
    context = {"form": form, "endpoints": _own(request).managed()}
    status = 422 if form.errors else 200
    return render(request, "pages/webhooks.html", context, status=status)


@never_cache
@require_safe
def webhook(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(_own(request), id=key)
    page = _page(request, found)
    context = {
        "endpoint": found,
        "page": page,
        "waiting": any(delivery.is_awaited for delivery in page.rows),
    }
    return render(request, "pages/webhook.html", context)


@require_POST
def of_requests(request: SignedInRequest) -> HttpResponse:
    """The one for addresses that are given with requests, which is made when it is first wanted."""
    return redirect("webhook", actions.of_requests(request.user).id)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    found = _managed(request, key)
    data = request.POST if request.method == "POST" else None
    now = {"url": found.url, "description": found.description, "events": found.events}
    form = EndpointForm(data, initial=now)
    if _saved(form, lambda: actions.change(found, **form.cleaned_data)):
        messages.success(request, _("The webhook was changed."))
        return redirect("webhook", key)
    context = {"form": form, "endpoint": found}
    return render(request, "pages/webhook_edit.html", context, status=422 if form.errors else 200)


@require_POST
def pause(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    actions.pause(_managed(request, key))
    return redirect("webhook", key)


@require_POST
def resume(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    actions.resume(_managed(request, key))
    return redirect("webhook", key)


@require_http_methods(["GET", "HEAD", "POST"])
def rotate(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    """Replace a secret. The form names the one that is to go, so that it may be sent twice."""
    found = get_object_or_404(_own(request), id=key)
    known_by = found.secret[-RECOGNISED_BY:]
    if request.method != "POST":
        context = {"endpoint": found, "known_by": known_by}
        return render(request, "pages/webhook_rotate.html", context)
    if request.POST.get("known_by") == known_by:
        actions.rotate(found)
        messages.success(request, _("There is a new secret. The old one signs for a day still."))
    else:
        messages.warning(request, _("Nothing was replaced: the secret is no longer the same."))
    return redirect("webhook", key)


@require_POST
def test(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    try:
        actions.send_test(_managed(request, key))
    except actions.Paused:
        messages.warning(request, _("It is paused. Resume it first."))
    return redirect("webhook", key)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    found = _managed(request, key)
    if request.method != "POST":
        return render(request, "pages/webhook_delete.html", {"endpoint": found})
    actions.remove(found)
    messages.success(request, _("%(url)s is told of nothing any more.") % {"url": found.url})
    return redirect("webhooks")


@require_POST
def redeliver(request: SignedInRequest, key: uuid.UUID, delivery_key: uuid.UUID) -> HttpResponse:
    deliveries = Delivery.objects.filter(endpoint__in=_own(request), endpoint=key)
    found = get_object_or_404(deliveries.select_related("endpoint"), id=delivery_key)
    try:
        if not actions.redeliver(found):
            messages.warning(request, _("It is being sent at this moment."))
    except actions.Paused:
        messages.warning(request, _("It is paused. Resume it first."))
    return redirect("webhook", key)


def _own(request: SignedInRequest) -> EndpointQuerySet:
    """Staff too see only their own here; they have the admin for the rest."""
    return Endpoint.objects.filter(owner=request.user)


def _managed(request: SignedInRequest, key: uuid.UUID) -> Endpoint:
    return get_object_or_404(_own(request).managed(), id=key)


def _saved(form: EndpointForm, save: Callable[[], Endpoint]) -> Endpoint | None:
    """What was saved; None if the form is not sent yet or says what is wrong with it."""
    if not form.is_valid():
        return None
    try:
        return save()
    except RefusedAddress as error:
        form.add_error("url", str(error))
    except actions.TooMany:
        most = {"most": actions.MOST_ENDPOINTS}
        form.add_error(None, _("One may have %(most)d webhooks. Delete one first.") % most)
    return None


def _page(request: SignedInRequest, endpoint: Endpoint) -> paging.Page[Delivery]:
    rows = endpoint.deliveries.all()
    if after := _key(request.GET.get("after")):
        return paging.after(rows, after, PAGE_SIZE)
    return paging.before(rows, _key(request.GET.get("before")), PAGE_SIZE)


def _key(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        return None  # what makes no sense is left out
