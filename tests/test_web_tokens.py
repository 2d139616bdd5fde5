"""The page of one's tokens: each is shown in one answer, and can be rotated and revoked."""

import html
import logging
import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.actions.tokens import ORDINARY_SCOPES, find_usable, issue, revoke, rotate
from classifier.models import Prediction, Scope, Token, User
from classifier.models.ids import uuid7
from tests.factories import PredictionFactory, UserFactory

SECRET = re.compile(r"slt_[\w-]{43}")
PAGE = "/tokens/"


def form(**fields: object) -> dict[str, object]:
    """What the page's form posts."""
    ordinary = [scope.value for scope in ORDINARY_SCOPES]
    return {"id": uuid7(), "name": "script", "scopes": ordinary, "days": 90, **fields}


def address_of(view: str, token: Token) -> str:
    return reverse(view, args=[token.id])


def shown_in(response) -> list[str]:
    return SECRET.findall(response.content.decode())


def text_of(response) -> str:
    return html.unescape(response.content.decode())


@pytest.fixture
def token(user: User) -> Token:
    return issue(user, "script", ORDINARY_SCOPES)[0]


def test_the_page_without_a_token_offers_the_first_step(signed_in: Client) -> None:
    page = text_of(signed_in.get(PAGE))
    assert "No program has a token of yours." in page
    assert "Make your first token" in page


def test_a_token_is_made_and_shown_in_this_answer_only(signed_in: Client, user: User) -> None:
    response = signed_in.post(PAGE, form())
    [secret] = shown_in(response)
    made = find_usable(secret)
    assert made is not None
    assert (made.owner, made.name, made.scope_names) == (user, "script", list(ORDINARY_SCOPES))
    assert made.expires_at is not None
    assert abs(made.expires_at - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)
    assert shown_in(signed_in.get(PAGE)) == []


def test_a_shown_token_is_in_no_cache_session_cookie_or_address(
    signed_in: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    response = signed_in.post(PAGE, form())
    [secret] = shown_in(response)
    assert "no-store" in response.headers["Cache-Control"]
    assert secret not in str(response.headers) + str(response.cookies)
    assert not any(secret in str(session.get_decoded()) for session in Session.objects.all())
    assert secret not in caplog.text
    assert "no-store" in signed_in.get(PAGE).headers["Cache-Control"]


def test_the_same_form_sent_twice_makes_one_token(signed_in: Client) -> None:
    sent = form()
    [secret] = shown_in(signed_in.post(PAGE, sent))
    again = signed_in.post(PAGE, sent, follow=True)
    assert again.redirect_chain == [(PAGE, 302)]
    assert "That token was made already" in text_of(again)
    assert shown_in(again) == []
    assert Token.objects.count() == 1
    assert find_usable(secret)


@pytest.mark.parametrize(("days", "lasts"), [(30, 30), (365, 365), ("", None)])
def test_how_long_it_works_can_be_chosen(
    signed_in: Client, days: object, lasts: int | None
) -> None:
    signed_in.post(PAGE, form(days=days))
    expires_at = Token.objects.get().expires_at
    assert (expires_at and round((expires_at - timezone.now()) / timedelta(days=1))) == lasts


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": " "}, "This field is required."),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"scopes": []}, "This field is required."),
        ({"scopes": ["everything"]}, "everything is not one of the available choices"),
        ({"days": 10_000}, "10000 is not one of the available choices"),
        ({"id": "none"}, "Enter a valid UUID."),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(
    signed_in: Client, wrong: dict[str, object], said: str
) -> None:
    response = signed_in.post(PAGE, form(**wrong))
    assert response.status_code == 422
    assert said in text_of(response)
    assert not Token.objects.exists()


def test_reviewing_is_offered_to_staff_only(signed_in: Client, staff: User) -> None:
    assert "review:write" not in text_of(signed_in.get(PAGE))
    assert signed_in.post(PAGE, form(scopes=["review:write"])).status_code == 422
    boss = Client()
    boss.force_login(staff)
    assert "review:write" in text_of(boss.get(PAGE))
    boss.post(PAGE, form(scopes=["review:write"]))
    assert Token.objects.get().scope_names == [Scope.REVIEW_WRITE]


def test_the_list_tells_what_each_token_is_and_no_more(
    signed_in: Client, user: User, token: Token
) -> None:
    expired, _ = issue(user, "phone", [Scope.MODELS_READ], timezone.now() - timedelta(days=1))
    revoke(issue(user, "old", [Scope.MODELS_READ])[0])
    issue(UserFactory(), "of somebody else", [Scope.MODELS_READ])
    page = text_of(signed_in.get(PAGE))
    for text in (f"{token.prefix}…", "predictions:write", "Works", "Expired", "Revoked", "never"):
        assert text in page
    assert "of somebody else" not in page
    assert token.digest not in page
    assert address_of("token_revoke", token) in page
    assert address_of("token_revoke", expired) not in page


def test_a_name_cannot_bring_markup_of_its_own(signed_in: Client) -> None:
    name = "<script>alert(1)</script>"
    made = signed_in.post(PAGE, form(name=name)).content.decode()
    assert name not in made + signed_in.get(PAGE).content.decode()
    assert html.escape(name) in made


def test_rotating_asks_first_and_shows_the_new_token_once(signed_in: Client, user: User) -> None:
    token, old = issue(user, "script", ORDINARY_SCOPES)
    question = signed_in.get(address_of("token_rotate", token))
    assert "stops working at once" in text_of(question)
    assert find_usable(old)
    answer = signed_in.post(address_of("token_rotate", token), {"prefix": token.prefix})
    [new] = shown_in(answer)
    assert find_usable(old) is None
    assert find_usable(new) == token
    assert "no-store" in answer.headers["Cache-Control"]
    assert shown_in(signed_in.get(PAGE)) == []


def test_rotating_twice_by_the_same_form_leaves_the_token_that_was_shown(
    signed_in: Client, token: Token
) -> None:
    sent = {"prefix": token.prefix}
    [shown] = shown_in(signed_in.post(address_of("token_rotate", token), sent))
    again = signed_in.post(address_of("token_rotate", token), sent, follow=True)
    assert "Nothing was replaced" in text_of(again)
    assert find_usable(shown)


def test_a_revoked_token_is_not_rotated(signed_in: Client, token: Token) -> None:
    revoke(token)
    sent = {"prefix": token.prefix}
    response = signed_in.post(address_of("token_rotate", token), sent, follow=True)
    assert "Nothing was replaced" in text_of(response)
    assert shown_in(response) == []


def test_revoking_asks_first_and_then_ends_the_token(signed_in: Client, user: User) -> None:
    token, secret = issue(user, "script", ORDINARY_SCOPES)
    assert "at once and for good" in text_of(signed_in.get(address_of("token_revoke", token)))
    assert find_usable(secret)
    page = text_of(signed_in.post(address_of("token_revoke", token), follow=True))
    assert "script works no more." in page
    assert find_usable(secret) is None


@pytest.mark.parametrize("view", ["token_rotate", "token_revoke"])
def test_another_users_token_is_not_there_not_even_for_staff(
    client: Client, staff: User, token: Token, view: str
) -> None:
    for person in (UserFactory(), staff):
        client.force_login(person)
        assert client.get(address_of(view, token)).status_code == 404
        assert client.post(address_of(view, token)).status_code == 404
    unchanged = Token.objects.get()
    assert (unchanged.digest, unchanged.revoked_at) == (token.digest, None)


@pytest.mark.parametrize("view", ["tokens", "token_rotate", "token_revoke"])
def test_a_token_does_not_open_the_pages_of_tokens(client: Client, user: User, view: str) -> None:
    token, secret = issue(user, "script", ORDINARY_SCOPES)
    address = PAGE if view == "tokens" else address_of(view, token)
    for method in (client.get, client.post):
        response = method(address, headers={"Authorization": f"Bearer {secret}"})
        assert response.status_code == 302
        assert response.url.startswith("/login/")
    assert Token.objects.alive().count() == 1


def test_a_form_of_another_site_makes_rotates_and_revokes_nothing(user: User, token: Token) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    sent = form(prefix=token.prefix)
    for address in (
        PAGE,
        address_of("token_rotate", token),
        address_of("token_revoke", token),
    ):
        assert client.post(address, sent).status_code == 403
    assert list(Token.objects.values_list("digest", "revoked_at")) == [(token.digest, None)]


def test_every_page_leads_to_the_tokens(signed_in: Client) -> None:
    for page in ("/predictions/", "/about/"):
        assert f'href="{PAGE}"' in signed_in.get(page).content.decode()
    assert f'href="{PAGE}"' not in Client().get("/about/").content.decode()


def test_who_changed_the_password_is_told_that_tokens_go_on(signed_in: Client) -> None:
    page = text_of(signed_in.get(reverse("password_change_done")))
    assert "go on working" in page
    assert f'href="{PAGE}"' in page


def test_the_lines_for_programs_carry_the_address_that_was_asked(
    signed_in: Client, settings
) -> None:
    settings.ALLOWED_HOSTS = ["sightline.example.org"]
    page = signed_in.get(PAGE, secure=True, headers={"host": "sightline.example.org:8443"})
    assert "https://sightline.example.org:8443/api/v1/predictions/" in text_of(page)
    assert text_of(page).count("$SIGHTLINE_TOKEN") == 1


def test_a_result_says_how_a_program_reads_it(signed_in: Client, user: User) -> None:
    prediction: Prediction = PredictionFactory(image__owner=user, succeeded=True)
    page = text_of(signed_in.get(reverse("prediction", args=[prediction.id])))
    assert f"http://testserver/api/v1/predictions/{prediction.id}/" in page
    assert "http://testserver/api/v1/predictions/" in page
    assert "From a program" in page


def test_lines_of_python_are_python(signed_in: Client) -> None:
    page = text_of(signed_in.get(PAGE))
    snippets = re.findall(r"<code>(import .*?)</code>", page, re.DOTALL)
    assert snippets
    for snippet in snippets:
        compile(snippet, "snippet", "exec")


def test_a_token_that_somebody_else_replaced_meanwhile_is_not_replaced_again(
    signed_in: Client, token: Token
) -> None:
    question = signed_in.get(address_of("token_rotate", token)).content.decode()
    seen = re.search(r'name="prefix" value="(\w+[\w-]*)"', question)
    assert seen
    rotate(token)
    response = signed_in.post(address_of("token_rotate", token), {"prefix": seen[1]}, follow=True)
    assert "Nothing was replaced" in text_of(response)
