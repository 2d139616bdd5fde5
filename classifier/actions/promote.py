"""Say which version of a name is its champion, and which one challenges it.

Each change is a row of history and a column of two versions at most, in one transaction: whoever
asks for the champion meanwhile gets the one or the other, and what is queued for the one stays so.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.models import Alias, AliasChange, Kind, ModelVersion, User
from classifier.queries.gate import Line, gate


class NotChanged(ValueError):
    """The alias stays where it is; the message says why."""


class GateNotPassed(NotChanged):
    """The gate lets the version through only for a reason that is recorded."""

    def __init__(self, version: ModelVersion, lines: Sequence[Line]) -> None:
        self.lines = lines
        told = "; ".join(f"{line.title}: {line.text}" for line in lines if not line.passed)
        super().__init__(
            _("%(version)s does not pass the gate. %(lines)s") % {"version": version, "lines": told}
        )


def activate(version: ModelVersion, by: User | None = None, reason: str = "") -> None:
    """Let a version serve by default, as the champion of its name; nothing is asked of it."""
    with _changing(version.name) as champion:
        _crown(version, champion, Kind.ACTIVATED, by, reason, since=timezone.now())


def promote(
    version: ModelVersion, by: User | None = None, override: str = "", reason: str = ""
) -> AliasChange:
    """Make a version the champion of its name, if it passes the gate or there is a reason not to.

    Where the champion before served by default, the new one does. The history keeps the
    override, or else the `reason`, which leads past nothing.

    Raises:
        GateNotPassed: with the lines that failed, unless `override` says why they do not matter.
        NotChanged: if it is the champion already, or another one became that meanwhile.
    """
    compared = ModelVersion.objects.of_alias(version.name, Alias.CHAMPION)
    lines = gate(version)  # before anything is locked: it reads a lot
    with _changing(version.name) as champion:
        if version == champion:
            raise NotChanged(_("%(version)s is the champion already.") % {"version": version})
        if champion != compared:
            message = _("%(version)s became the champion meanwhile; compare it with that one.")
            raise NotChanged(message % {"version": champion})
        if not override and not all(line.passed for line in lines):
            raise GateNotPassed(version, lines)
        return _crown(version, champion, Kind.PROMOTED, by, override or reason, gate=lines)


def rollback(name: str, by: User | None = None, reason: str = "") -> AliasChange:
    """Give the champion's alias back to the version that had it before.

    Raises:
        NotChanged: if there was none before.
    """
    with _changing(name) as champion:
        before = champion and predecessor(champion)
        if champion is None or before is None:
            raise NotChanged(
                _("There was no other champion of %(name)s to go back to.") % {"name": name}
            )
        return _crown(before, champion, Kind.ROLLED_BACK, by, reason)


def predecessor(champion: ModelVersion) -> ModelVersion | None:
    """Which version `rollback` would go back to: the champions so far are a stack, and it pops."""
    changes = AliasChange.objects.filter(name=champion.name, alias=Alias.CHAMPION)
    champions: list[ModelVersion] = []
    for change in changes.select_related("model_version").order_by("id"):
        version = change.model_version
        if version is None:  # deleted since
            continue
        if change.kind == Kind.ROLLED_BACK:
            while champions and champions[-1] != version:
                champions.pop()
        if version not in champions[-1:]:
            champions.append(version)
    while champions and champions[-1] != champion:
        champions.pop()
    return champions[-2] if len(champions) > 1 else None


def challenge(version: ModelVersion, by: User | None = None, reason: str = "") -> AliasChange:
    """Let a version answer a share of the champion's traffic too, unseen.

    Raises:
        NotChanged: if it is the champion or the challenger, or there is no champion to challenge.
    """
    with _changing(version.name) as champion:
        if champion is None:
            message = _("%(name)s has no champion that could be challenged.")
            raise NotChanged(message % {"name": version.name})
        if version == champion:
            raise NotChanged(_("%(version)s is the champion already.") % {"version": version})
        before = ModelVersion.objects.of_alias(version.name, Alias.CHALLENGER)
        if version == before:
            raise NotChanged(_("%(version)s is the challenger already.") % {"version": version})
        return _hand_over(Alias.CHALLENGER, before, version, Kind.CHALLENGED, by, reason)


def withdraw(name: str, by: User | None = None, reason: str = "") -> AliasChange:
    """Have no challenger any more.

    Raises:
        NotChanged: if there is none.
    """
    with _changing(name):
        before = ModelVersion.objects.of_alias(name, Alias.CHALLENGER)
        if before is None:
            raise NotChanged(_("%(name)s has no challenger.") % {"name": name})
        return _hand_over(Alias.CHALLENGER, before, None, Kind.WITHDRAWN, by, reason)


@contextmanager
def _changing(name: str) -> Iterator[ModelVersion | None]:
    """A transaction in which nobody else changes the aliases of a name; its champion so far."""
    with transaction.atomic():
        # Not their keys: uploads point at them.
        rows = ModelVersion.objects.select_for_update(no_key=True, of=("self",)).filter(name=name)
        list(rows.order_by("pk").values_list("pk"))
        yield ModelVersion.objects.of_alias(name, Alias.CHAMPION)


def _crown(
    version: ModelVersion,
    champion: ModelVersion | None,
    kind: Kind,
    by: User | None,
    reason: str,
    *,
    since: datetime | None = None,
    gate: Sequence[Line] = (),
) -> AliasChange:
    """Make it the champion; it serves by default if the champion did, or if nothing does yet."""
    if champion is not None:
        since = since or champion.activated_at
    elif not ModelVersion.objects.filter(activated_at__isnull=False).exists():
        since = timezone.now()
    ModelVersion.objects.filter(pk=version.pk).update(activated_at=since)
    if version == ModelVersion.objects.of_alias(version.name, Alias.CHALLENGER):
        _hand_over(Alias.CHALLENGER, version, None, kind, by, reason)
    lines = [line.to_json() for line in gate]
    return _hand_over(Alias.CHAMPION, champion, version, kind, by, reason, lines)


def _hand_over(
    alias: Alias,
    before: ModelVersion | None,
    after: ModelVersion | None,
    kind: Kind,
    by: User | None,
    reason: str,
    gate: Sequence[Mapping[str, Any]] = (),
) -> AliasChange:
    if before:
        ModelVersion.objects.filter(pk=before.pk).update(alias="")
    if after:
        ModelVersion.objects.filter(pk=after.pk).update(alias=alias)
    one = after or before
    assert one is not None
    return AliasChange.objects.create(
        name=one.name,
        alias=alias,
        kind=kind,
        model_version=after,
        holder=str(after or ""),
        holder_before=str(before or ""),
        by=by,
        by_name=by.get_username() if by else "",
        reason=reason,
        gate=list(gate),
    )
