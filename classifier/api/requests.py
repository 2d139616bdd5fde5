"""What a view may rely on where HasScope has let only signed-in callers through."""

from rest_framework.request import Request

from classifier.freshness import asks_anew
from classifier.models import Token, User


class SignedInRequest(Request):
    user: User
    auth: Token | None


def may_be_cached(request: Request) -> bool:
    """Whether an earlier answer to the same image will do."""
    return not asks_anew(request.headers.get("Cache-Control", ""))
