"""What a caller may do: a session everything, a token what its scopes name."""

from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from classifier.api.problems import Problem
from classifier.models import Scope, Token

if TYPE_CHECKING:
    from rest_framework.views import APIView  # itself reads the settings that name this module


class HasScope(BasePermission):
    """Signed in, with the scope that the view's `scopes` names for the method.

    `None` there means any valid credentials, and is said so; a method that is not named lets nobody
    in. HEAD needs what GET needs, OPTIONS any valid credentials.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """False for strangers, who then get a 401.

        Raises:
            Problem: if the token lacks the scope, or the scope is for staff.
        """
        if not request.user.is_authenticated:
            return False
        scope = _needed(request, view)
        token = request.auth
        if scope and isinstance(token, Token) and scope not in token.scopes:
            raise Problem(
                "missing_scope",
                f"The token {token.prefix}… does not have the scope {scope.value}.",
                headers={"WWW-Authenticate": _challenge(scope)},
            )
        if scope == Scope.REVIEW_WRITE and not request.user.is_staff:
            raise Problem("staff_only")
        return True


def _needed(request: Request, view: "APIView") -> Scope | None:
    method = "GET" if request.method == "HEAD" else str(request.method)
    scopes: dict[str, Scope | None] = getattr(view, "scopes", {})
    if method in scopes:
        return scopes[method]
    if method != "OPTIONS" and hasattr(view, method.lower()):
        # Forgotten: rather nobody gets in than everybody.
        raise ImproperlyConfigured(f"{type(view).__name__}.scopes does not name {method}.")
    return None  # the view answers 405


def _challenge(scope: Scope) -> str:
    return f'Bearer realm="sightline", error="insufficient_scope", scope="{scope.value}"'
