"""By which variant a model version is computed: what was measured, and choosing one."""

import json
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from classifier.actions.variants import GateNotPassed, serve_by, serve_by_reference
from classifier.admin.base import ReadOnlyAdmin
from classifier.models import ModelVersion, Variant
from classifier.queries.ways import Way, ways_of


class ComputingAdmin(ReadOnlyAdmin[ModelVersion]):
    """The part of the model versions' admin that chooses what computes them."""

    for_all_staff = True

    def has_activate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("classifier.change_modelversion")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.compute_view))
        own = path("<int:version_id>/compute/", view, name="classifier_modelversion_compute")
        return [own, *super().get_urls()]

    def compute_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """Let the posted variant compute the version, or the reference where none is posted."""
        if not self.has_activate_permission(request):
            raise PermissionDenied
        version = get_object_or_404(ModelVersion, pk=version_id)
        try:
            name = _choose(version, request.POST.get("variant", ""))
        except GateNotPassed as error:
            message = _("It is computed as before: %(reason)s.") % {"reason": error}
            self.message_user(request, message, messages.ERROR)
        else:
            message = _("Computed by %(name)s.") % {"name": name}
            self.log_change(request, version, message)
            message = _("%(version)s is computed by %(name)s from now on.")
            self.message_user(request, message % {"version": version, "name": name})
        return redirect("admin:classifier_modelversion_change", version_id)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: ModelVersion | None = None,
    ) -> HttpResponse:
        if obj:
            context["ways"] = [(way, _receipt(way)) for way in ways_of(obj)]
            context["may_choose"] = self.has_activate_permission(request)
        return super().render_change_form(request, context, add, change, form_url, obj)


def _choose(version: ModelVersion, key: str) -> str:
    """Let a variant of the version serve, or the reference; returns what serves from now on.

    Raises:
        GateNotPassed: if its receipt does not allow it.
    """
    if not key:
        serve_by_reference(version)
        return f"{version.engine} fp32"
    variant = get_object_or_404(Variant, pk=key if key.isdecimal() else None, model_version=version)
    serve_by(variant)
    return str(variant)


def _receipt(way: Way) -> str:
    receipt = way.variant.receipt if way.variant else {}
    return json.dumps(receipt, indent=2, ensure_ascii=False)
