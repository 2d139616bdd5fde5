"""What the value of each option may be: in JSON, and as a text of a form or an address."""

import json
import re
from collections.abc import Callable
from typing import Any

from classifier.addresses import MOST_CHARACTERS, RefusedAddress, check_url
from classifier.encoded import Unreadable, parse_json
from classifier.models import Event, Priority

TOP_K_MOST = 10_000
EXPIRES_IN_MOST = 7 * 24 * 3600
METADATA_MOST_BYTES = 4096
METADATA_DEEPEST = 100
PRIORITIES = {priority.name.lower(): priority for priority in Priority}
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(?P<fraction>\.[0-9]{1,30})?", re.ASCII)


class Wrong(ValueError):
    """A value that is not what it should be; the message says what it should."""


def last(texts: list[str]) -> object:
    return texts[-1]


def _number(texts: list[str]) -> object:
    """The number that this is, or the text itself, which no check for a number lets pass."""
    match = NUMBER.fullmatch(texts[-1])
    if match is None:
        return texts[-1]
    return float(texts[-1]) if match["fraction"] else int(texts[-1])


def _list(texts: list[str]) -> object:
    """What is repeated, or parted by commas; an empty list cannot be written, and is none."""
    return [item.strip() for text in texts for item in text.split(",") if text] or None


def _json(texts: list[str]) -> object:
    try:
        return parse_json(texts[-1].encode())
    except Unreadable as error:
        return str(error)


FROM_TEXT: dict[str, Callable[[list[str]], object]] = {
    "top_k": _number,
    "threshold": _number,
    "expires_in": _number,
    "webhook_events_filter": _list,
    "metadata": _json,
}


def _text(longest: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= longest:
            raise Wrong(f"This must be a text of 1 to {longest} characters.")
        if "\x00" in value:
            raise Wrong("This must not have the character NUL.")
        return value

    return check


def _whole(lowest: int, highest: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        # 5.0 is a whole number in JSON; True is none.
        whole = type(value) is int or (isinstance(value, float) and value.is_integer())
        if not whole or not lowest <= value <= highest:  # type: ignore[operator]
            raise Wrong(f"This must be a whole number from {lowest} to {highest}.")
        return int(value)  # type: ignore[call-overload, no-any-return]

    return check


def _share(value: object) -> float:
    if type(value) not in {int, float} or not 0 <= value <= 1:  # type: ignore[operator]
        raise Wrong("This must be a number from 0 to 1.")
    return float(value)  # type: ignore[arg-type]


def _priority(value: object) -> Priority:
    if not isinstance(value, str) or value not in PRIORITIES:
        raise Wrong(f"This must be one of {', '.join(PRIORITIES)}.")
    return PRIORITIES[value]


def _webhook(value: object) -> str:
    url = _text(MOST_CHARACTERS)(value)
    try:
        check_url(url)
    except RefusedAddress as error:
        raise Wrong(str(error)) from error
    return url


def _events(value: object) -> tuple[str, ...]:
    wanted = set(value) if isinstance(value, list) and all(type(e) is str for e in value) else set()
    if not wanted or not wanted <= set(Event.values):
        raise Wrong(f"This must be a list of one or more of {', '.join(Event.values)}.")
    return tuple(event for event in Event.values if event in wanted)


def _metadata(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong("This must be a JSON object.")
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode(errors="replace")) > METADATA_MOST_BYTES:
        raise Wrong(f"This may have at most {METADATA_MOST_BYTES} bytes as JSON.")
    if not _is_storable(value, METADATA_DEEPEST):
        raise Wrong("This nests too deeply, or has a number that is too large.")
    return value


def _is_storable(value: object, levels: int) -> bool:
    """Whether both databases keep it as it is."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return levels > 0 and all(_is_storable(item, levels - 1) for item in value)
    return not isinstance(value, float) or abs(value) != float("inf")


CHECKS: dict[str, Callable[[object], object]] = {
    "model": _text(100),
    "top_k": _whole(1, TOP_K_MOST),
    "threshold": _share,
    "priority": _priority,
    "expires_in": _whole(1, EXPIRES_IN_MOST),
    "webhook": _webhook,
    "webhook_events_filter": _events,
    "metadata": _metadata,
    "filename": _text(255),
}
