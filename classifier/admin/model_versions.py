"""Model versions: facts, and which one serves."""

import json
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from classifier.actions.delete import delete_model_version
from classifier.actions.promote import activate
from classifier.admin.base import NOTHING, with_shape
from classifier.admin.registering import RegisteringAdmin
from classifier.models import ModelVersion, Shadow, User


@admin.register(ModelVersion)
class ModelVersionAdmin(RegisteringAdmin):
    list_display = (
        "__str__",
        "serves",
        "alias",
        "architecture",
        "labels_count",
        "computed",
        "activated_at",
    )
    list_filter = ("alias", "architecture", "created_at")
    date_hierarchy = "created_at"
    list_select_related = ("variant",)
    ordering = ("name", "-version")
    search_fields = ("name", "architecture", "sha256__startswith")
    sortable_by = ()
    actions = ("activate",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "version",
                    "serves",
                    "alias",
                    "created_at",
                    "activated_at",
                    "made",
                )
            },
        ),
        (
            gettext_lazy("Network"),
            {"fields": ("architecture", "computed", "preprocessing", "labels_list", "results")},
        ),
        (gettext_lazy("Weights"), {"fields": ("file", "sha256", "source", "licence")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        activated = ModelVersion.objects.filter(activated_at__isnull=False)
        serving = Q(pk__in=activated.by_precedence().values("pk")[:1])
        return (
            super()
            .get_queryset(request)
            .annotate(is_serving=ExpressionWrapper(serving, BooleanField()))
        )

    @admin.display(description=gettext_lazy("serves"))
    def serves(self, version: ModelVersion) -> str:
        serving = getattr(version, "is_serving", False)
        return with_shape("succeeded", "●", _("Serves by default")) if serving else NOTHING

    @admin.display(description=gettext_lazy("computed by"))
    def computed(self, version: ModelVersion) -> str:
        return version.computed_by

    @admin.display(description=gettext_lazy("labels"))
    def labels_count(self, version: ModelVersion) -> int:
        return len(version.labels)

    @admin.display(description=gettext_lazy("labels"))
    def labels_list(self, version: ModelVersion) -> SafeString:
        return format_html(
            "<details><summary>{}</summary>{}</details>",
            len(version.labels),
            ", ".join(version.labels),
        )

    @admin.display(description=gettext_lazy("preprocessing"))
    def preprocessing(self, version: ModelVersion) -> SafeString:
        return _pretty({name: fact for name, fact in version.spec.items() if name != "labels"})

    @admin.display(description=gettext_lazy("metrics"))
    def results(self, version: ModelVersion) -> str:
        return _pretty(version.metrics) if version.metrics else NOTHING

    @admin.display(description=gettext_lazy("file"))
    def file(self, version: ModelVersion) -> str:
        return str(version.weights.name)

    @admin.display(description=gettext_lazy("predictions"))
    def made(self, version: ModelVersion) -> SafeString:
        return format_html(
            '<a href="{}?model_version__id__exact={}">{}</a>',
            reverse("admin:classifier_prediction_changelist"),
            version.pk,
            version.predictions.count(),
        )

    @admin.action(
        description=gettext_lazy("Let the selected model version serve"), permissions=["activate"]
    )
    def activate(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        chosen = list(queryset)
        if len(chosen) != 1:
            message = _("One version serves at a time; %(count)d are selected. Select one.")
            self.message_user(request, message % {"count": len(chosen)}, messages.ERROR)
            return
        activate(chosen[0], cast("User", request.user))
        self.log_change(request, chosen[0], _("Activated."))
        message = _("%(version)s classifies new images from now on.")
        self.message_user(request, message % {"version": chosen[0]}, messages.SUCCESS)

    def delete_model(self, request: HttpRequest, obj: ModelVersion) -> None:
        delete_model_version(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        for version in queryset:
            delete_model_version(version)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Count the predictions that stand in the way; they may be too many to list."""
        protected = [
            ngettext(
                "%(count)d prediction by %(version)s", "%(count)d predictions by %(version)s", count
            )
            % {"count": count, "version": version}
            for version in objs
            if (count := version.predictions.count())
        ]
        if protected:
            return [], {}, set(), protected
        kept_back = Shadow.objects.filter(model_version__in=[version.pk for version in objs])
        if count := kept_back.count():
            shadows = ngettext(
                "%(count)d answer kept back",
                "%(count)d answers kept back",
                count,
            )
            return [*map(str, objs), shadows % {"count": count}], {}, set(), []
        return super().get_deleted_objects(objs, request)


def _pretty(facts: dict[str, Any]) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(facts, indent=2, ensure_ascii=False))
