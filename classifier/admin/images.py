"""Uploaded images."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from classifier.actions.delete import delete_image
from classifier.admin.base import ReadOnlyAdmin, thumbnail
from classifier.models import Image


@admin.register(Image)
class ImageAdmin(ReadOnlyAdmin[Image]):
    for_all_staff = True
    list_display = (
        "picture",
        "original_name",
        "owner",
        "format",
        "dimensions",
        "size",
        "created_at",
    )
    list_display_links = ("picture", "original_name")
    list_filter = ("format", "created_at")
    list_select_related = ("owner",)
    search_fields = ("original_name", "^owner__username", "sha256__startswith")
    search_help_text = _("Searches names, owners, ids and the beginnings of SHA-256 digests.")
    sortable_by = ("created_at",)
    date_hierarchy = "created_at"
    fieldsets = (
        (None, {"fields": ("original_name", "owner", "created_at", "predictions")}),
        (_("File"), {"fields": ("format", "dimensions", "size", "sha256")}),
    )

    @admin.display(description=_("picture"))
    def picture(self, image: Image) -> SafeString:
        return thumbnail(image)

    @admin.display(description=_("dimensions"))
    def dimensions(self, image: Image) -> str:
        return f"{image.width} × {image.height}"

    @admin.display(description=_("size"))
    def size(self, image: Image) -> str:
        return filesizeformat(image.bytes)

    @admin.display(description=_("predictions"))
    def predictions(self, image: Image) -> SafeString:
        return format_html(
            '<a href="{}?image__id__exact={}">{}</a>',
            reverse("admin:classifier_prediction_changelist"),
            image.pk,
            image.predictions.count(),
        )

    def delete_model(self, request: HttpRequest, obj: Image) -> None:
        delete_image(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Image]) -> None:
        for image in queryset:
            delete_image(image)
