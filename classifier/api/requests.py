"""What a view may rely on where HasScope has let only signed-in callers through."""

from rest_framework.request import Request

from classifier.models import Token, User


class SignedInRequest(Request):
    user: User
    auth: Token | None
