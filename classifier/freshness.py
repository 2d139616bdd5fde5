"""Whether a request wants an answer of its own, and not an earlier one to the same image."""

FRESH = "no-cache"


def asks_anew(cache_control: str) -> bool:
    """Read a request's `Cache-Control` (RFC 9111), of which we know one directive."""
    return FRESH in (directive.strip().lower() for directive in cache_control.split(","))
