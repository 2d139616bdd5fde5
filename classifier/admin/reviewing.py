"""Reviewing predictions in the admin: one on its page, many from the list."""

import uuid
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from classifier.actions.review import NotReviewable, confirm_all, correct_all, review
from classifier.admin.base import ReadOnlyAdmin
from classifier.models import ModelVersion, Prediction, Status, User, Verdict

MOST_SHOWN = 24  # thumbnails on the page that asks for a label


class ReviewFilter(admin.SimpleListFilter):
    """By verdict, or what still awaits one."""

    title = _("review")
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("awaited", _("Awaits review")), *Verdict.choices]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Prediction]
    ) -> QuerySet[Prediction]:
        if self.value() == "awaited":
            return queryset.filter(status=Status.SUCCEEDED, review=None)
        return queryset.filter(review__verdict=self.value()) if self.value() else queryset


class LabelForm(forms.Form):
    """What a picture truly shows: one of a model version's labels, the predicted ones first."""

    def __init__(self, version: ModelVersion, predicted: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        first = list(predicted)
        others = [(label, label) for label in sorted(set(version.labels) - set(first))]
        groups = [(_("Predicted"), [(label, label) for label in first]), (_("Others"), others)]
        self.fields["label"] = forms.ChoiceField(
            label=_("True label"),
            choices=[("", _("Choose a label")), *(groups if first else others)],
        )


class ReviewingAdmin(ReadOnlyAdmin[Prediction]):
    """The part of the predictions' admin that records verdicts."""

    for_all_staff = True

    def has_review_permission(self, request: HttpRequest) -> bool:
        """All staff may review: it is what they are for, here as in the API."""
        return request.user.is_staff

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.review_view))
        own = path("<uuid:prediction_id>/review/", view, name="classifier_prediction_review")
        return [own, *super().get_urls()]

    def review_view(self, request: HttpRequest, prediction_id: uuid.UUID) -> HttpResponse:
        """Record the posted label as what the picture shows, and return to the prediction."""
        if not self.has_review_permission(request):
            raise PermissionDenied
        prediction = get_object_or_404(Prediction, pk=prediction_id)
        try:
            made = review(prediction, _reviewer(request), request.POST.get("label", ""))
        except NotReviewable as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, str(made), messages.SUCCESS)
        return redirect("admin:classifier_prediction_change", prediction_id)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Prediction | None = None,
    ) -> HttpResponse:
        if obj and obj.output and self.has_review_permission(request):
            predicted = [entry["label"] for entry in obj.output]
            context["label_form"] = LabelForm(obj.model_version, predicted, auto_id="true_%s")
        return super().render_change_form(request, context, add, change, form_url, obj)

    @admin.action(
        description=_("Confirm the top label of selected predictions"), permissions=["review"]
    )
    def confirm_selected(self, request: HttpRequest, queryset: QuerySet[Prediction]) -> None:
        self._report(request, confirm_all(_answered(queryset), _reviewer(request)))

    @admin.action(description=_("Correct selected predictions to …"), permissions=["review"])
    def correct_selected(
        self, request: HttpRequest, queryset: QuerySet[Prediction]
    ) -> HttpResponse | None:
        """Ask for the label on a page of its own, then record it for all."""
        answered = _answered(queryset)
        versions = ModelVersion.objects.filter(pk__in=answered.values("model_version"))
        version = self._only_one(request, versions)
        if version is None:
            return None
        form = LabelForm(version, data=request.POST if "label" in request.POST else None)
        if not form.is_valid():
            return self._ask_for_label(request, queryset, form)
        label = form.cleaned_data["label"]
        self._report(request, correct_all(answered, _reviewer(request), label))
        return None

    def _only_one(
        self, request: HttpRequest, versions: QuerySet[ModelVersion]
    ) -> ModelVersion | None:
        """The one model version to choose a label of, or a message why there is not one."""
        found = list(versions)
        if len(found) == 1:
            return found[0]
        message = _("None of the selected predictions has an answer to correct.")
        if found:
            message = _(
                "The selected predictions are by %(versions)s, which have labels of their own. "
                "Select predictions by one model version."
            )
        names = ", ".join(str(version) for version in found)
        self.message_user(request, message % {"versions": names}, messages.ERROR)
        return None

    def _ask_for_label(
        self, request: HttpRequest, selected: QuerySet[Prediction], form: LabelForm
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Correct the selected predictions"),
            "opts": self.opts,
            "form": form,
            "count": _answered(selected).count(),
            "shown": selected.filter(status=Status.SUCCEEDED).select_related("image")[:MOST_SHOWN],
            # The form repeats the action and its selection, as the list's own form sent them.
            "action": request.POST["action"],
            "select_across": request.POST.get("select_across", "0"),
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(
            request, "admin/classifier/prediction/correct_selected.html", context
        )

    def _report(self, request: HttpRequest, count: int) -> None:
        message = ngettext(
            "%(count)d prediction reviewed.", "%(count)d predictions reviewed.", count
        )
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, message % {"count": count}, level)


def _answered(selected: QuerySet[Prediction]) -> QuerySet[Prediction]:
    """Those that can be reviewed, with no more of each than a review takes."""
    lean = selected.order_by().select_related(None).only("status", "top_label")
    return lean.filter(status=Status.SUCCEEDED)


def _reviewer(request: HttpRequest) -> User:
    """Who is signed in; the admin lets nobody else in."""
    assert isinstance(request.user, User)
    return request.user
