"""Tokens of everyone: to look at and to revoke. What opens the door is nowhere to be seen."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from classifier.actions.tokens import revoke
from classifier.admin.base import ReadOnlyAdmin, with_shape
from classifier.models import Token
from classifier.models.token import TokenState

# The names of states that the admin's style sheet knows, and a shape for each.
LOOKS = {
    TokenState.USABLE: ("succeeded", "●"),
    TokenState.LOCKED: ("failed", "▲"),
    TokenState.EXPIRED: ("canceled", "○"),
    TokenState.REVOKED: ("canceled", "–"),
}


class StateFilter(admin.SimpleListFilter):
    """By whether a token works, or why not."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(TokenState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> QuerySet[Token]:
        value = self.value()
        if value is None or value not in TokenState:
            return queryset
        chosen = Token.objects.in_state(TokenState(value))
        return queryset.filter(pk__in=chosen.values("pk"))


@admin.register(Token)
class TokenAdmin(ReadOnlyAdmin[Token]):
    """Deleting one revokes it, and leaves no trace of it; revoking keeps the row."""

    list_display = (
        "name",
        "begins",
        "owner",
        "state",
        "may",
        "created_at",
        "expires_at",
        "last_used_at",
    )
    list_filter = (StateFilter, "created_at")
    list_select_related = ("owner",)
    search_fields = ("name", "^prefix", "^owner__username")
    search_help_text = _("Searches names, owners, ids and the beginnings of tokens.")
    sortable_by = ("created_at", "expires_at", "last_used_at")
    actions = ("revoke_selected",)
    fieldsets = (
        (None, {"fields": ("name", "begins", "owner", "state", "may")}),
        (_("Times"), {"fields": ("created_at", "expires_at", "last_used_at", "revoked_at")}),
    )

    @admin.display(description=_("begins with"))
    def begins(self, token: Token) -> str:
        return f"{token.prefix}…"

    @admin.display(description=_("state"))
    def state(self, token: Token) -> SafeString:
        return with_shape(*LOOKS[token.state], str(token.state.label))

    @admin.display(description=_("scopes"))
    def may(self, token: Token) -> str:
        return ", ".join(token.scope_names)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("classifier.change_token")

    @admin.action(description=_("Revoke selected tokens"), permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        count = sum(revoke(token) for token in queryset)
        self.message_user(
            request,
            ngettext("%(count)d token revoked.", "%(count)d tokens revoked.", count)
            % {"count": count},
            messages.SUCCESS if count else messages.WARNING,
        )
