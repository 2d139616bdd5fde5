"""Predictions: to look at, to review and to clear away, never to edit."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from classifier.actions.cancel import cancel
from classifier.actions.delete import delete_prediction
from classifier.admin.base import NOTHING, thumbnail, verdict_shape, with_shape
from classifier.admin.dates import DatedChangeList
from classifier.admin.reviewing import ReviewFilter, ReviewingAdmin
from classifier.models import Image, Prediction, Status, User
from classifier.templatetags.sightline import duration, percent

SHAPES = {
    Status.QUEUED: "○",
    Status.RUNNING: "◐",
    Status.SUCCEEDED: "●",
    Status.FAILED: "▲",
    Status.CANCELED: "–",
}


class PredictionChangeList(DatedChangeList):
    def apply_select_related(self, qs: QuerySet[Prediction]) -> QuerySet[Prediction]:
        """Join what a row shows, and leave out the long columns that it does not show."""
        return (
            super()
            .apply_select_related(qs)
            .defer("output", "error_detail", "model_version__spec", "model_version__metrics")
        )


@admin.register(Prediction)
class PredictionAdmin(ReviewingAdmin):
    list_display = (
        "picture",
        "label",
        "score",
        "state",
        "verdict",
        "model_version",
        "owner",
        "created_at",
        "original_name",
    )
    list_display_links = ("picture", "label")
    list_filter = ("status", ReviewFilter, "model_version", "source", "created_at")
    list_select_related = ("image", "model_version", "owner", "review")
    id_fields = ("pk", "image")
    search_fields = ("top_label",)  # search_text adds those of the image and the owner
    search_help_text = _(
        "Searches names, top labels, owners, ids and the beginnings of SHA-256 digests."
    )
    sortable_by = ("label", "state", "created_at")
    date_hierarchy = "created_at"
    actions = ("confirm_selected", "correct_selected", "cancel_selected")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "state",
                    "verdict",
                    "image",
                    "owner",
                    "model_version",
                    "variant",
                    "cached",
                    "source",
                )
            },
        ),
        (
            _("Times"),
            {
                "fields": (
                    "created_at",
                    "started_at",
                    "completed_at",
                    "waited",
                    "inference",
                    "total",
                    "batch_size",
                )
            },
        ),
        (
            _("Work"),
            {"fields": ("attempts", "error_code", "error_detail", "lease", "lease_expires_at")},
        ),
    )

    @admin.display(description=_("picture"))
    def picture(self, prediction: Prediction) -> SafeString:
        return thumbnail(prediction.image)

    @admin.display(description=_("top label"), ordering="top_label")
    def label(self, prediction: Prediction) -> str:
        return prediction.top_label or NOTHING

    @admin.display(description=_("score"))
    def score(self, prediction: Prediction) -> str:
        return NOTHING if prediction.top_score is None else percent(prediction.top_score)

    @admin.display(description=_("status"), ordering="status")
    def state(self, prediction: Prediction) -> SafeString:
        status = Status(prediction.status)
        return with_shape(status.value, SHAPES[status], str(status.label))

    @admin.display(description=_("review"))
    def verdict(self, prediction: Prediction) -> str:
        review = getattr(prediction, "review", None)
        return verdict_shape(review) if review else NOTHING

    @admin.display(description=_("original name"))
    def original_name(self, prediction: Prediction) -> str:
        return prediction.image.original_name

    @admin.display(description=_("waiting time"))
    def waited(self, prediction: Prediction) -> str:
        return duration(prediction.waiting_seconds)

    @admin.display(description=_("inference time of the batch"))
    def inference(self, prediction: Prediction) -> str:
        return duration(prediction.inference_seconds)

    @admin.display(description=_("total time"))
    def total(self, prediction: Prediction) -> str:
        return duration(prediction.total_seconds)

    def search_text(
        self, request: HttpRequest, queryset: QuerySet[Prediction], search_term: str
    ) -> tuple[QuerySet[Prediction], bool]:
        """Search images and owners each by themselves: half the cost of joining them first."""
        for word in search_term.split():
            images = Image.objects.filter(
                Q(original_name__icontains=word) | Q(sha256__startswith=word)
            )
            owners = User.objects.filter(username__istartswith=word)
            queryset = queryset.filter(
                Q(top_label__icontains=word) | Q(image__in=images) | Q(owner__in=owners)
            )
        return queryset, False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PredictionChangeList

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("classifier.change_prediction")

    @admin.action(
        description=_("Cancel selected predictions that still wait"), permissions=["cancel"]
    )
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Prediction]) -> None:
        count = cancel(Prediction.objects.filter(pk__in=queryset.order_by().values("pk")))
        self.message_user(
            request,
            ngettext("%(count)d prediction canceled.", "%(count)d predictions canceled.", count)
            % {"count": count},
            messages.SUCCESS if count else messages.WARNING,
        )

    def delete_model(self, request: HttpRequest, obj: Prediction) -> None:
        delete_prediction(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Prediction]) -> None:
        for prediction in queryset:
            delete_prediction(prediction)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Name the images too, which go with their last prediction."""
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)
        to_delete.append(gettext("Images that no other prediction is of, with their files"))
        return to_delete, counts, lacking, protected
