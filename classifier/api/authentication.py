"""Who calls: a program by its token, or a person by the session of their browser."""

from typing import Any

from rest_framework import authentication, exceptions
from rest_framework.request import Request

from classifier.actions.tokens import find_usable
from classifier.api.problems import Problem
from classifier.models import Token, User

CHALLENGE = 'Bearer realm="sightline"'


class BearerAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer slt_…`. The user is the token's owner."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """Find the token; None where none was sent.

        Raises:
            Problem: if one was sent that opens nothing.
        """
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = find_usable(secret.strip())
        if token is None:
            challenge = f'{CHALLENGE}, error="invalid_token"'
            raise Problem("invalid_token", headers={"WWW-Authenticate": challenge})
        return token.owner, token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 tells of how to sign in."""
        return CHALLENGE


class SessionAuthentication(authentication.SessionAuthentication):
    """The session of the pages. Whoever writes with it shows that they come from a page of ours."""

    def enforce_csrf(self, request: Any) -> None:
        """Check the CSRF token.

        Raises:
            Problem: if it is missing or wrong.
        """
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as error:
            raise Problem("csrf_failed", str(error.detail)) from error
