"""One's tokens: keys to the API, each shown in the one answer to the request that made it."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from classifier.actions.tokens import AlreadyIssued, NotReplaced, issue
from classifier.actions.tokens import revoke as take_back
from classifier.actions.tokens import rotate as replace
from classifier.models import Token
from classifier.models.token import TokenQuerySet
from classifier.web.forms import TokenForm
from classifier.web.requests import SignedInRequest
from classifier.web.snippets import classify_snippets

ENDED_SHOWN = 20


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: SignedInRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, TokenForm(request.user))
    form = TokenForm(request.user, request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    wanted = form.cleaned_data
    try:
        token, secret = issue(
            request.user, wanted["name"], wanted["scopes"], form.expires_at, wanted["id"]
        )
    except AlreadyIssued:
        messages.warning(
            request,
            _("That token was made already, and is shown only once. Rotate it if it got lost."),
        )
        return redirect("tokens")
    return _made(request, token, secret)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rotate(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    """Replace a token; the form names the one that is to go, so that sent twice it does no harm."""
    found = get_object_or_404(_own(request), id=key)
    if request.method != "POST":
        return render(request, "pages/token_rotate.html", {"token": found})
    try:
        if request.POST.get("prefix") != found.prefix:
            raise NotReplaced
        secret = replace(found)
    except NotReplaced:
        messages.warning(request, _("Nothing was replaced: the token is no longer the same."))
        return redirect("tokens")
    return _made(request, found, secret)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: SignedInRequest, key: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(_own(request), id=key)
    if request.method != "POST":
        return render(request, "pages/token_revoke.html", {"token": found})
    take_back(found)
    messages.success(request, _("%(name)s works no more.") % {"name": found.name})
    return redirect("tokens")


def _own(request: SignedInRequest) -> TokenQuerySet:
    """Staff too see only their own here; they have the admin for the rest."""
    return Token.objects.filter(owner=request.user).select_related("owner")


def _page(request: SignedInRequest, form: TokenForm, status: int = 200) -> HttpResponse:
    alive = _own(request).alive()
    context = {
        "form": form,
        "tokens": alive,
        "ended": _own(request).exclude(id__in=alive.values("id"))[:ENDED_SHOWN],
        "snippets": classify_snippets(request),
    }
    return render(request, "pages/tokens.html", context, status=status)


def _made(request: SignedInRequest, token: Token, secret: str) -> HttpResponse:
    """The one page that ever shows a token: no redirect, because it is kept nowhere for another."""
    context = {"token": token, "secret": secret, "snippets": classify_snippets(request)}
    return render(request, "pages/token_made.html", context)
