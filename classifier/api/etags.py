"""Whether the caller has already what would be sent (RFC 9110, section 13.1.2)."""

from django.utils.http import parse_etags
from rest_framework.request import Request


def is_known(request: Request, etag: str) -> bool:
    """Whether `If-None-Match` names this tag, be it weakly."""
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in known or etag.removeprefix("W/") in {one.removeprefix("W/") for one in known}
