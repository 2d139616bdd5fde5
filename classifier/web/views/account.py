"""Signing in and up, and the password."""

from typing import cast

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from classifier.web.forms import RegistrationForm
from classifier.web.requests import SignedInRequest


@login_not_required
def login(request: HttpRequest) -> HttpResponseBase:
    if cast(SignedInRequest, request).htmx:  # a page whose session has ended was sent here
        return HttpResponseClientRefresh()
    view = LoginView.as_view(
        template_name="account/login.html",
        redirect_authenticated_user=True,
        extra_context={"registration_open": settings.REGISTRATION_OPEN},
    )
    return view(request)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    if not settings.REGISTRATION_OPEN:
        raise Http404
    form = RegistrationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = form.save()
        auth.login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        return redirect("upload")
    return render(request, "account/register.html", {"form": form})


class PasswordChange(PasswordChangeView):
    """Django's own; the admin keeps its template, this has ours."""

    template_name = "account/password_change.html"


@require_safe
def password_changed(request: HttpRequest) -> HttpResponse:
    return render(request, "account/password_changed.html")
