"""`models promote`, `rollback`, `challenge`, `withdraw` and `history`: who is the champion."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.management import CommandError
from django.utils import timezone

from classifier.actions import promote as actions
from classifier.management.refusals import find_version, refuse
from classifier.management.table import table
from classifier.models import AliasChange, ModelVersion
from classifier.queries.gate import Line, gate

Write = Callable[[str], object]
Verb = Callable[..., None]
HEADINGS = ("WHEN", "WHAT", "VERSION", "BEFORE", "BY", "WHY")
SHOWN = 50


def add_verbs(verbs: Any, bound: Callable[[Verb], Callable[..., None]]) -> None:
    """Their arguments; `bound` gives a verb the place to write to."""
    promoting = verbs.add_parser("promote", help="make a version the champion, if the gate lets it")
    promoting.add_argument("model", metavar="NAME@VERSION")
    why = promoting.add_mutually_exclusive_group()
    why.add_argument(
        "--override", default="", metavar="REASON", help="why, though it does not pass the gate"
    )
    add_reason(why)
    promoting.add_argument("--check", action="store_true", help="only tell what the gate says")
    promoting.set_defaults(verb=bound(promote))
    going_back = verbs.add_parser("rollback", help="make the champion before it the champion again")
    going_back.add_argument("name", metavar="NAME")
    going_back.set_defaults(verb=bound(rollback))
    challenging = verbs.add_parser("challenge", help="try a version on the champion's traffic")
    challenging.add_argument("model", metavar="NAME@VERSION")
    challenging.set_defaults(verb=bound(challenge))
    withdrawing = verbs.add_parser("withdraw", help="have no challenger any more")
    withdrawing.add_argument("name", metavar="NAME")
    withdrawing.set_defaults(verb=bound(withdraw))
    for verb in (going_back, challenging, withdrawing):
        add_reason(verb)
    telling = verbs.add_parser("history", help="who changed the aliases of a name, when and why")
    telling.add_argument("name", metavar="NAME")
    telling.set_defaults(verb=bound(history))


def add_reason(verb: Any) -> None:
    """The option that the history takes a reason from."""
    verb.add_argument("--reason", default="", metavar="TEXT", help="why, for the history")


def promote(write: Write, model: str, override: str, reason: str, check: bool, **_: Any) -> None:
    """Tell each line of the gate, and promote the version if they let it or there is a reason."""
    version = find_version(model)
    if check:
        if failed := _tell(gate(version), write):
            raise CommandError(f"{version} would not pass: {failed}.", returncode=1)
        return
    try:
        change = actions.promote(version, override=override, reason=reason)
    except actions.GateNotPassed as error:
        raise refuse(
            f"{version} does not pass the gate: {_tell(error.lines, write)}. "
            '`--override "REASON"` promotes it all the same, and keeps the reason.'
        ) from error
    except actions.NotChanged as error:
        raise refuse(str(error)) from error
    _tell([Line.from_json(line) for line in change.gate], write)
    write(f"{version} is the champion now; before it was {change.holder_before or 'none'}.")


def rollback(write: Write, name: str, reason: str, **_: Any) -> None:
    """Make the champion before the champion again."""
    with _refusals(name):
        change = actions.rollback(name, reason=reason)
    write(f"{change.holder} is the champion again; {change.holder_before} was it.")


def challenge(write: Write, model: str, reason: str, **_: Any) -> None:
    """Let a version answer a share of the champion's traffic, unseen."""
    version = find_version(model)
    with _refusals(version.name):
        change = actions.challenge(version, reason=reason)
    instead = f" in place of {change.holder_before}" if change.holder_before else ""
    write(f"{version} is the challenger now{instead}.")


def withdraw(write: Write, name: str, reason: str, **_: Any) -> None:
    """Have no challenger any more."""
    with _refusals(name):
        change = actions.withdraw(name, reason=reason)
    write(f"{change.holder_before} is the challenger no longer.")


def history(write: Write, name: str, **_: Any) -> None:
    """Tell who changed the aliases of a name, when, why and from what."""
    changes = AliasChange.objects.filter(name=name)[:SHOWN]
    rows = [_cells(change) for change in changes]
    if not rows:
        find_version(name)
        write(f"No alias of {name} was ever changed.")
        return
    for line in table([HEADINGS, *rows]):
        write(line)


def _tell(lines: Sequence[Line], write: Write) -> str:
    """Tell each line of the gate; which ones failed is returned."""
    for line in lines:
        write(f"{'passed' if line.passed else 'FAILED'}  {line.title}: {line.text}")
    return ", ".join(line.check for line in lines if not line.passed)


def _cells(change: AliasChange) -> tuple[str, ...]:
    led_past = ", ".join(line["check"] for line in change.gate if not line["passed"])
    return (
        timezone.localtime(change.at).strftime("%Y-%m-%d %H:%M"),
        f"{change.alias} {change.kind.replace('_', ' ')}",
        change.holder or "-",
        change.holder_before or "-",
        change.by_name or "-",
        f"past {led_past}: {change.reason}" if led_past else change.reason,
    )


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    if not ModelVersion.objects.filter(name=name).exists():
        find_version(name)
    try:
        yield
    except actions.NotChanged as error:
        raise refuse(str(error)) from error
