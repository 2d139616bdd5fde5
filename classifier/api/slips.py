"""What is wrong with a request, and where: so that all of it can be told at once."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Literal

from classifier.api.problems import Fault, Problem

Place = Literal["pointer", "parameter"]


def fault(where: str, code: str, detail: str) -> Fault:
    """One thing that is wrong, at a pointer into the body or, without a slash, a parameter."""
    if where and not where.startswith("/"):
        return {"parameter": where, "code": code, "detail": detail}
    return {"pointer": where, "code": code, "detail": detail}


def named(name: str, place: Place) -> str:
    """Where a member or a parameter is."""
    if place == "parameter":
        return name
    return "/" + name.replace("~", "~0").replace("/", "~1")


def unknown(given: Iterable[str], known: Iterable[str], place: Place) -> Iterator[Fault]:
    """One fault for each name that nobody knows, with what was probably meant."""
    known = sorted(known)
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(known)}."
            yield fault(named(name, place), "unknown", f"There is no {name[:100]} here. {hint}")


def wrong(*faults: Fault) -> Problem:
    """The refusal of a request for these reasons; the first is told in the text too."""
    first = faults[0]
    where = first.get("parameter") or first.get("pointer", "").removeprefix("/")
    more = f" {len(faults) - 1} more in errors." if len(faults) > 1 else ""
    detail = f"{where}: {first['detail']}" if where else first["detail"]
    return Problem("invalid_request", detail + more, faults)


def members_of(body: object) -> dict[str, Any]:
    """The members of a JSON object.

    Raises:
        Problem: if it is something else.
    """
    if not isinstance(body, dict):
        raise wrong(fault("", "invalid", "The body must be a JSON object."))
    return body
