"""One model's champion and challenger: how they compare, and who serves from now on."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from classifier.actions import promote as actions
from classifier.models import AliasChange, ModelVersion
from classifier.queries import deployment as queries
from classifier.web.requests import SignedInRequest

MOST_DIGITS = 10  # of a version's number

# What was said of other people's pictures, and by whom, is not for everybody.
_for_staff = permission_required("classifier.change_modelversion", raise_exception=True)


@require_safe
@_for_staff
def deployment(request: SignedInRequest, name: str) -> HttpResponse:
    found = queries.deployment(name)
    if found is None:
        raise Http404
    context = {
        "deployment": found,
        "predecessor": found.champion and actions.predecessor(found.champion),
        "share": settings.SHADOW_SHARE,
    }
    return render(request, "pages/deployment.html", context)


@require_POST
@_for_staff
def promote(request: SignedInRequest, name: str) -> HttpResponse:
    version, reason = _posted_version(request, name), _reason(request)
    return _change(
        request,
        name,
        lambda: actions.promote(version, request.user, override=reason),
        _("%(version)s is the champion now."),
    )


@require_POST
@_for_staff
def rollback(request: SignedInRequest, name: str) -> HttpResponse:
    return _change(
        request,
        name,
        lambda: actions.rollback(name, request.user, _reason(request)),
        _("%(version)s is the champion again."),
    )


@require_POST
@_for_staff
def challenge(request: SignedInRequest, name: str) -> HttpResponse:
    version = _posted_version(request, name)
    return _change(
        request,
        name,
        lambda: actions.challenge(version, request.user, _reason(request)),
        _("%(version)s is the challenger now."),
    )


@require_POST
@_for_staff
def withdraw(request: SignedInRequest, name: str) -> HttpResponse:
    return _change(
        request,
        name,
        lambda: actions.withdraw(name, request.user, _reason(request)),
        _("%(previous)s is the challenger no longer."),
    )


def _change(
    request: SignedInRequest, name: str, change: Callable[[], AliasChange], done: str
) -> HttpResponse:
    try:
        made = change()
    except actions.NotChanged as error:
        messages.error(request, str(error))
    else:
        told = {"version": made.holder, "previous": made.holder_before}
        messages.success(request, done % told)
    return redirect("deployment", name)


def _posted_version(request: SignedInRequest, name: str) -> ModelVersion:
    number = request.POST.get("version", "")
    if not (number.isdecimal() and len(number) < MOST_DIGITS):
        raise Http404
    return get_object_or_404(ModelVersion, name=name, version=number)


def _reason(request: SignedInRequest) -> str:
    return request.POST.get("reason", "").strip()
