"""The `Prefer` header (RFC 7240): whether the caller would rather wait for the answer."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from classifier.actions.wait import wait_until_ended
from classifier.waiting import NoSeat

LONGEST = 60  # seconds; also what `wait` without a number means

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - as in RFC 9110
WORD = rf'(?:{TOKEN}|"(?:[^"\\]|\\.)*")'
PREFERENCE = re.compile(rf"(?:^|,)\s*(?P<name>{TOKEN})(?:\s*=\s*(?P<value>{WORD}))?\s*(?=[,;]|$)")
SECONDS = re.compile(r"-?[0-9]+")


@dataclass(frozen=True)
class Preference:
    """How long to wait, in seconds, and what the answer says about it; None is not at all."""

    wait: int | None = None
    applied: str = ""


def parse_prefer(header: str) -> Preference:
    """Read the preferences that we know; others, and what makes no sense, are passed over.

    With both `respond-async` and `wait=n`, one waits so long and answers 202 then.
    """
    given: dict[str, str] = {}
    for match in PREFERENCE.finditer(header):
        given.setdefault(match["name"].lower(), (match["value"] or "").strip('"'))
    seconds = _seconds(given["wait"]) if "wait" in given else None
    if seconds is not None:
        return Preference(seconds, f"wait={seconds}")
    return Preference(applied="respond-async") if "respond-async" in given else Preference()


def wait_as_preferred(ids: Collection[UUID], preference: Preference) -> dict[str, str]:
    """Wait as long as is preferred and possible. Returns what the answer's header says of it."""
    if preference.wait is not None:
        try:
            wait_until_ended(ids, preference.wait)
        except NoSeat:
            return {"Retry-After": "1"}
    return {"Preference-Applied": preference.applied} if preference.applied else {}


def _seconds(value: str) -> int | None:
    if not value:
        return LONGEST
    if not SECONDS.fullmatch(value):
        return None
    # More digits than that are no number to work with.
    return max(1, min(int(value[:10]), LONGEST))
