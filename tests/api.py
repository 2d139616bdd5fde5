"""Programs that call the API with a token."""

from datetime import datetime

from django.test import Client

from classifier.actions.tokens import grantable_scopes, issue
from classifier.models import Scope, User


def caller(
    user: User, *scopes: Scope, expires_at: datetime | None = None, name: str = "tests"
) -> Client:
    """A program that sends a new token of this user, with every scope where none is named.

    Unlike browsers in tests, it is checked for CSRF, which must not matter to it.
    """
    _, secret = issue(user, name, scopes or grantable_scopes(user), expires_at)
    return bearer(secret)


def bearer(secret: str) -> Client:
    """A program that sends this, whatever it is, as its token."""
    return Client(headers={"Authorization": f"Bearer {secret}"}, enforce_csrf_checks=True)
