"""Webhooks of everyone and what was sent to them: to look at, and to send again. No secrets."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from classifier.actions.webhooks import Paused, redeliver
from classifier.admin.base import ReadOnlyAdmin, with_shape
from classifier.admin.dates import DatedChangeList
from classifier.models import Delivery, DeliveryStatus, Endpoint

# The names of states that the admin's style sheet knows, and a shape for each.
LOOKS = {
    DeliveryStatus.PENDING: ("queued", "○"),
    DeliveryStatus.SUCCEEDED: ("succeeded", "●"),
    DeliveryStatus.FAILED: ("failed", "▲"),
}


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin[Endpoint]):
    """Deleting one deletes what was sent to it."""

    list_display = ("address", "owner", "description", "active", "created_at")
    list_filter = (("disabled_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("owner",)
    search_fields = ("url", "description", "^owner__username")
    search_help_text = _("Searches addresses, descriptions, owners and ids.")
    sortable_by = ("created_at",)
    fieldsets = (
        (None, {"fields": ("address", "owner", "description", "events", "active")}),
        (_("Times"), {"fields": ("created_at", "disabled_at", "disabled_reason")}),
    )

    @admin.display(description=_("address"))
    def address(self, endpoint: Endpoint) -> str:
        return str(endpoint)

    @admin.display(description=_("active"), boolean=True)
    def active(self, endpoint: Endpoint) -> bool:
        return endpoint.is_enabled


class DeliveryChangeList(DatedChangeList):
    def apply_select_related(self, qs: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Leave out the long column that no row of the list shows."""
        return super().apply_select_related(qs).defer("payload")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin[Delivery]):
    list_display = (
        "type",
        "state",
        "url",
        "owner",
        "attempts",
        "response_code",
        "created_at",
        "next_attempt",
    )
    list_filter = ("status", "type", "created_at")
    list_select_related = ("endpoint__owner",)
    id_fields = ("pk", "endpoint", "prediction")
    search_fields = ("url", "^endpoint__owner__username")
    search_help_text = _("Searches addresses, owners, and ids of deliveries and predictions.")
    sortable_by = ()
    actions = ("redeliver_selected",)
    fieldsets = (
        (None, {"fields": ("type", "state", "url", "owner", "endpoint", "prediction")}),
        (
            _("Work"),
            {
                "fields": (
                    "attempts",
                    "response_code",
                    "error",
                    "created_at",
                    "attempted_at",
                    "next_attempt",
                    "completed_at",
                )
            },
        ),
        (_("The message"), {"fields": ("message_id", "message")}),
    )

    @admin.display(description=_("status"))
    def state(self, delivery: Delivery) -> SafeString:
        status = DeliveryStatus(delivery.status)
        return with_shape(*LOOKS[status], str(status.label))

    @admin.display(description=_("owner"), ordering="endpoint__owner")
    def owner(self, delivery: Delivery) -> str:
        return delivery.endpoint.owner.get_username()

    @admin.display(description=_("next attempt at"))
    def next_attempt(self, delivery: Delivery) -> Any:
        return delivery.due_at if delivery.status == DeliveryStatus.PENDING else None

    @admin.display(description=_("payload"))
    def message(self, delivery: Delivery) -> SafeString:
        return format_html("<pre>{}</pre>", delivery.pretty_payload)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DeliveryChangeList

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("classifier.change_delivery")

    @admin.action(description=_("Deliver the selected messages again"), permissions=["redeliver"])
    def redeliver_selected(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        count = sum(map(_redelivered, queryset.select_related("endpoint")))
        self.message_user(
            request,
            ngettext(
                "%(count)d message will be sent again.",
                "%(count)d messages will be sent again.",
                count,
            )
            % {"count": count},
            messages.SUCCESS if count else messages.WARNING,
        )


def _redelivered(delivery: Delivery) -> bool:
    """False for what is being sent at this moment, or to somewhere that is paused."""
    try:
        return redeliver(delivery)
    except Paused:
        return False
