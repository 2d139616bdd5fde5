"""`manage.py token create | list | rotate | revoke`: keys to the API, for programs."""

import argparse
import json
from datetime import datetime
from typing import Any

from django.core.management import BaseCommand, CommandParser
from django.utils import timezone

from classifier.actions.tokens import (
    ORDINARY_SCOPES,
    NotReplaced,
    issue,
    revoke,
    rotate,
)
from classifier.management.expiry import expiry
from classifier.management.refusals import refuse
from classifier.management.table import table
from classifier.management.tokens import find_token, find_user, parse_name, parse_scopes
from classifier.models import Scope, Token

HEADINGS = ("TOKEN", "USER", "NAME", "SCOPES", "EXPIRES", "LAST USED", "STATE")


class Command(BaseCommand):
    help = "Make, list, rotate or revoke the tokens by which programs use the API."
    requires_system_checks = ()  # none of them is about this, and they take a second

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(required=True, metavar="create | list | rotate | revoke")
        _add_create_arguments(creating := verbs.add_parser("create", help="print a new token"))
        creating.set_defaults(verb=self._create)
        listing = verbs.add_parser("list", help="show the tokens, without what is secret")
        listing.add_argument("--user", metavar="U", help="this person's only")
        listing.add_argument("--json", action="store_true", help="print one JSON object a line")
        listing.set_defaults(verb=self._list)
        rotating = verbs.add_parser("rotate", help="print a new token in the place of an old one")
        rotating.set_defaults(verb=self._rotate)
        revoking = verbs.add_parser("revoke", help="let a token work no more")
        revoking.set_defaults(verb=self._revoke)
        for verb in (rotating, revoking):
            verb.add_argument("prefix", metavar="PREFIX", help="how the token begins")

    def handle(self, *args: str, **options: Any) -> None:
        options.pop("verb")(**options)

    def _create(self, **options: Any) -> None:
        owner = find_user(options["user"])
        if not owner.is_active:
            raise refuse(f"{owner} may not sign in, so no token of theirs would work.")
        name, scopes = parse_name(options["name"]), parse_scopes(options["scope"], owner)
        self._print_once(*issue(owner, name, scopes, expiry(options["expires"])))

    def _list(self, **options: Any) -> None:
        tokens = Token.objects.select_related("owner")
        if options["user"]:
            tokens = tokens.filter(owner=find_user(options["user"]))
        if options["json"]:
            for token in tokens:
                self.stdout.write(json.dumps(_facts(token), ensure_ascii=False))
        elif rows := [_cells(token) for token in tokens]:
            for line in table([HEADINGS, *rows]):
                self.stdout.write(line)
        else:
            self.stdout.write("There is no token. `manage.py token create` makes one.")

    def _rotate(self, **options: Any) -> None:
        token = find_token(options["prefix"])
        try:
            secret = rotate(token)
        except NotReplaced as error:
            raise refuse(f"{token} was changed just now. `token list` shows how.") from error
        self._print_once(token, secret)

    def _revoke(self, **options: Any) -> None:
        token = find_token(options["prefix"])
        revoke(token)
        self.stdout.write(f"{token} of {token.owner} works no more.")

    def _print_once(self, token: Token, secret: str) -> None:
        """The token alone on stdout, so that a script can take it; the rest is for people."""
        self.stdout.write(secret)
        until = f"until {_minute(token.expires_at)}" if token.expires_at else "until it is revoked"
        may = ", ".join(token.scope_names)
        self.stderr.write(
            f"{token} of {token.owner} may {may}, {until}. It is shown this once: keep it safe.",
            style_func=str,  # it is no error
        )


def _add_create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", required=True, metavar="U", help="who it acts for")
    parser.add_argument("--name", required=True, metavar="N", help="what will use it")
    parser.add_argument(
        "--scope",
        action="append",
        metavar="S",
        help=f"what it may do, again or with commas for more: {', '.join(Scope.values)}; "
        f"default: {','.join(ORDINARY_SCOPES)}",
    )
    parser.add_argument(
        "--expires", metavar="WHEN", help="90d, 12h, 30m, or a date as 2030-12-31; default: never"
    )


def _facts(token: Token) -> dict[str, Any]:
    times = {name: getattr(token, name) for name in ("created_at", "expires_at", "last_used_at")}
    return {
        "prefix": token.prefix,
        "user": token.owner.get_username(),
        "name": token.name,
        "scopes": token.scope_names,
        **{name: time.isoformat() if time else None for name, time in times.items()},
        "state": token.state,
    }


def _cells(token: Token) -> tuple[str, ...]:
    return (
        f"{token.prefix}…",
        token.owner.get_username(),
        token.name,
        ",".join(token.scope_names),
        _minute(token.expires_at) if token.expires_at else "never",
        _minute(token.last_used_at) if token.last_used_at else "never",
        str(token.state.label).lower(),
    )


def _minute(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"
