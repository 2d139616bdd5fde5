"""`manage.py token`: create, list, rotate, revoke."""

import io
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from classifier.actions.tokens import ORDINARY_SCOPES, find_usable, issue, revoke
from classifier.models import Scope, Token
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def token(*arguments):
    """What is printed on stdout, and on stderr."""
    out, hint = io.StringIO(), io.StringIO()
    call_command("token", *arguments, stdout=out, stderr=hint)
    return out.getvalue(), hint.getvalue()


def create(*arguments, user="ada", name="script"):
    return token("create", "--user", user, "--name", name, *arguments)


def refusal(*arguments):
    """The one line with which the command refuses, and exits with 2."""
    with pytest.raises(CommandError) as refused:
        token(*arguments)
    assert refused.value.returncode == 2
    assert "\n" not in str(refused.value)
    return str(refused.value)


def refused_creation(*arguments, user="ada", name="script"):
    said = refusal("create", "--user", user, "--name", name, *arguments)
    assert not Token.objects.exists()
    return said


def with_prefix(owner, prefix, **fields):
    made, _ = issue(owner, fields.pop("name", prefix), ORDINARY_SCOPES)
    Token.objects.filter(id=made.id).update(prefix=prefix, **fields)
    return made


def test_the_token_alone_is_on_stdout_and_the_hint_on_stderr(user):
    out, hint = create()
    assert out.count("\n") == 1
    made = find_usable(out.strip())
    assert (made.owner, made.name, made.expires_at) == (user, "script", None)
    assert made.scope_names == list(ORDINARY_SCOPES)
    assert hint.startswith(f"script ({made.prefix}…) of ada may predictions:read, ")
    assert "until it is revoked" in hint
    assert out.strip() not in hint


def test_scopes_may_be_repeated_or_given_with_commas(staff):
    scopes = ("--scope", "models:read, review:write", "--scope", "predictions:read")
    out, _ = create(*scopes, user="grace")
    assert find_usable(out.strip()).scope_names == [
        Scope.PREDICTIONS_READ,
        Scope.MODELS_READ,
        Scope.REVIEW_WRITE,
    ]


@pytest.mark.parametrize(
    ("given", "lasts"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
    ],
)
def test_an_expiry_may_be_given_as_a_time_from_now(user, given, lasts):
    _, hint = create("--expires", given)
    expires_at = Token.objects.get().expires_at
    assert abs(expires_at - timezone.now() - lasts) < timedelta(minutes=1)
    assert f"until {expires_at:%Y-%m-%d %H:%M}" in hint


def test_an_expiry_may_be_given_as_a_date_where_the_server_is(user):
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        create("--expires", "2222-12-31")
    assert Token.objects.get().expires_at == datetime(2222, 12, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("90", "90d, 12h, 30m, or a date"),
        ("soon", "90d, 12h, 30m, or a date"),
        ("-3d", "90d, 12h, 30m, or a date"),
        ("", "90d, 12h, 30m, or a date"),
        ("2030-02-31", "no time that there will be"),
        ("999999999d", "no time that there will be"),
        ("9" * 5000 + "d", "no time that there will be"),
        ("0d", "has passed"),
        ("2020-01-01", "has passed"),
    ],
)
def test_an_expiry_that_makes_no_sense_is_refused(user, given, said):
    assert said in refused_creation(f"--expires={given}")


def test_a_user_who_is_not_there_is_refused_with_those_who_are(user):
    assert refused_creation(user="adda") == "There is no user adda. Did you mean ada?"


def test_a_user_who_may_not_sign_in_gets_no_token(db):
    UserFactory(username="ada", is_active=False)
    assert "may not sign in" in refused_creation()


def test_a_scope_that_is_none_is_refused_with_those_that_are(user):
    assert "Did you mean predictions:read" in refused_creation("--scope", "prediction:read")
    assert "Known are predictions:read, " in refused_creation("--scope", "xyz")
    assert "one or more of predictions:read" in refused_creation("--scope", " , ")


def test_reviewing_is_refused_to_whoever_is_not_staff(user):
    assert refused_creation("--scope", "review:write") == (
        "review:write is for staff only, and ada is not."
    )


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines"])
def test_a_name_must_be_one(user, name):
    assert "--name takes 1 to 100 letters" in refused_creation(name=name)


def test_an_empty_list_says_what_to_do(db):
    assert "`manage.py token create` makes one" in token("list")[0]


def test_the_list_tells_all_but_what_is_secret(user):
    secret = create()[0].strip()
    find_usable(secret)
    heading, row = token("list")[0].splitlines()
    assert heading.split()[:5] == ["TOKEN", "USER", "NAME", "SCOPES", "EXPIRES"]
    made = Token.objects.get()
    used = f"{made.last_used_at:%Y-%m-%d %H:%M}"
    for text in (f"{secret[:10]}…", "ada", "script", "predictions:write", "never", used, "works"):
        assert text in row
    assert secret not in row
    assert made.digest not in row


def test_the_list_can_be_of_one_user_and_for_programs(user, staff):
    create()
    create(user="grace")
    [line] = token("list", "--user", "ada", "--json")[0].splitlines()
    facts = json.loads(line)
    assert (facts["user"], facts["state"], facts["expires_at"]) == ("ada", "usable", None)
    assert facts["scopes"] == [str(scope) for scope in ORDINARY_SCOPES]
    assert "There is no user adda" in refusal("list", "--user", "adda")


def test_a_rotated_token_is_printed_alone_and_replaces_the_old_one(user):
    old = create()[0].strip()
    out, hint = token("rotate", old[:8])
    assert out.count("\n") == 1
    assert find_usable(old) is None
    assert find_usable(out.strip()).name == "script"
    assert hint.startswith(f"script ({out[:10]}…) of ada may")


def test_a_revoked_token_works_no_more(user):
    secret = create()[0].strip()
    out, _ = token("revoke", f"{secret[:10]}…")
    assert out == f"script ({secret[:10]}…) of ada works no more.\n"
    assert find_usable(secret) is None


def test_the_whole_token_names_itself_too(user):
    secret = create()[0].strip()
    token("revoke", secret)
    assert find_usable(secret) is None


@pytest.mark.parametrize("verb", ["rotate", "revoke"])
def test_a_prefix_of_no_token_of_several_or_of_an_ended_one_is_refused(user, verb):
    with_prefix(user, "slt_aaaaaa")
    with_prefix(user, "slt_aaaaab")
    with_prefix(user, "slt_cccccc", revoked_at=timezone.now())
    before = list(Token.objects.values_list())
    assert refusal(verb, "slt_aaaaa") == (
        "More than one token begins with slt_aaaaa: slt_aaaaab (slt_aaaaab…), "
        "slt_aaaaaa (slt_aaaaaa…). Give more of it."
    )
    assert refusal(verb, "slt_b").startswith("No token begins with slt_b.")
    assert refusal(verb, "slt_c") == "slt_cccccc (slt_cccccc…) works no more: revoked."
    assert refusal(verb, "").startswith("PREFIX is empty.")
    assert list(Token.objects.values_list()) == before


def test_a_prefix_tells_upper_from_lower_case_and_a_line_from_any_letter(user):
    lower = with_prefix(user, "slt_abcdef")
    with_prefix(user, "slt_ABCDEF")
    token("revoke", "slt_a")
    assert [made for made in Token.objects.alive() if made == lower] == []
    assert Token.objects.alive().count() == 1
    assert "No token begins with sltx" in refusal("revoke", "sltx")


def test_an_ended_token_does_not_stand_in_the_way_of_one_that_works(user):
    ended = with_prefix(user, "slt_aaaaaa")
    revoke(ended)
    with_prefix(user, "slt_aaaaab")
    token("revoke", "slt_aaaaa")
    assert not Token.objects.alive().exists()
