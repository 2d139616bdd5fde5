"""Reviews: what people said that pictures show."""

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from classifier.admin.base import ReadOnlyAdmin, thumbnail, verdict_shape
from classifier.models import Review


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin[Review]):
    """Deleting a review withdraws it: its prediction awaits one again."""

    for_all_staff = True

    list_display = ("picture", "predicted", "state", "reviewer", "reviewed_at")
    list_display_links = ("picture", "predicted")
    list_filter = ("verdict", "reviewed_at")
    list_select_related = ("prediction__image", "reviewer")
    ordering = ("-pk",)
    id_fields = ("prediction", "prediction__image")
    search_fields = ("label", "prediction__top_label", "^reviewer__username")
    search_help_text = _("Searches labels, reviewers and ids.")
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("prediction", "predicted", "state", "reviewer", "reviewed_at")}),
    )

    @admin.display(description=_("picture"))
    def picture(self, review: Review) -> SafeString:
        return thumbnail(review.prediction.image)

    @admin.display(description=_("top label"))
    def predicted(self, review: Review) -> str:
        return review.prediction.top_label

    @admin.display(description=_("verdict"))
    def state(self, review: Review) -> SafeString:
        return verdict_shape(review)
