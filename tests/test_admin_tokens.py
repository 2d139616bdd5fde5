"""The admin shows everyone's tokens but not what opens the door, and revokes them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from classifier.actions.tokens import ORDINARY_SCOPES, find_usable, issue, revoke
from classifier.models import Token, User
from classifier.models.token import TokenState
from tests.factories import UserFactory
from tests.test_admin import person_who_may, select

TOKENS = "/admin/classifier/token/"


@pytest.fixture
def in_each_state(user: User) -> dict[TokenState, Token]:
    """A token in each state, named after it."""
    past = timezone.now() - timedelta(days=1)
    locked_out = UserFactory(is_active=False)
    tokens = {
        TokenState.USABLE: issue(user, "the one that works", ORDINARY_SCOPES)[0],
        TokenState.LOCKED: issue(locked_out, "the one that is locked", ORDINARY_SCOPES)[0],
        TokenState.EXPIRED: issue(user, "the one that expired", ORDINARY_SCOPES, past)[0],
        TokenState.REVOKED: issue(user, "the one that was revoked", ORDINARY_SCOPES)[0],
    }
    revoke(tokens[TokenState.REVOKED])
    return tokens


def test_everybodys_tokens_are_listed(boss: Client, in_each_state) -> None:
    page = boss.get(TOKENS).content.decode()
    for token in in_each_state.values():
        for text in (token.name, f"{token.prefix}…", token.owner.username, token.state.label):
            assert str(text) in page


@pytest.mark.parametrize("state", TokenState)
def test_they_can_be_narrowed_to_a_state(boss: Client, in_each_state, state) -> None:
    page = boss.get(TOKENS, {"state": state}).content.decode()
    shown = [other for other, token in in_each_state.items() if token.name in page]
    assert shown == [state]


def test_a_state_that_is_none_narrows_nothing(boss: Client, in_each_state) -> None:
    page = boss.get(TOKENS, {"state": "lost"}).content.decode()
    assert all(token.name in page for token in in_each_state.values())


def test_neither_list_nor_page_shows_what_opens_the_door(boss: Client, user: User) -> None:
    token, secret = issue(user, "script", ORDINARY_SCOPES)
    for address in (TOKENS, f"{TOKENS}{token.id}/change/", f"{TOKENS}{token.id}/delete/"):
        response = boss.get(address)
        assert response.status_code == 200
        assert token.digest not in response.content.decode()
        assert secret not in response.content.decode()


@pytest.mark.parametrize("query", ["script", "ada", "{prefix}", "{id}"])
def test_a_token_is_found_by_name_owner_beginning_and_id(boss: Client, user, query) -> None:
    token, _ = issue(user, "script", ORDINARY_SCOPES)
    other, _ = issue(UserFactory(), "other", ORDINARY_SCOPES)
    wanted = query.format(prefix=token.prefix, id=token.id)
    page = boss.get(TOKENS, {"q": wanted}).content.decode()
    assert f"{TOKENS}{token.id}/change/" in page
    assert f"{TOKENS}{other.id}/change/" not in page


def test_selected_tokens_are_revoked_and_counted(boss: Client, user: User) -> None:
    secrets = []
    for name in ("one", "two", "three"):
        token, secret = issue(user, name, ORDINARY_SCOPES)
        secrets.append((token, secret))
    revoke(secrets[1][0])
    chosen = [token for token, _ in secrets[:2]]
    page = boss.post(TOKENS, select("revoke_selected", *chosen), follow=True).content.decode()
    assert "1 token revoked." in page
    assert [find_usable(secret) is not None for _, secret in secrets] == [False, False, True]


def test_whoever_may_only_look_cannot_revoke(user: User) -> None:
    token, secret = issue(user, "script", ORDINARY_SCOPES)
    viewer = person_who_may("view_token")
    assert viewer.get(TOKENS).status_code == 200
    viewer.post(TOKENS, select("revoke_selected", token))
    assert find_usable(secret)


def test_no_token_is_added_or_changed_by_hand(boss: Client, user: User) -> None:
    token, _ = issue(user, "script", ORDINARY_SCOPES)
    assert boss.get(f"{TOKENS}add/").status_code == 403
    assert boss.post(f"{TOKENS}{token.id}/change/", {"name": "other"}).status_code == 403
    assert Token.objects.get().name == "script"


def test_the_list_costs_the_same_queries_however_long(
    boss: Client, user: User, django_assert_max_num_queries
) -> None:
    for _ in range(20):
        issue(user, "script", ORDINARY_SCOPES)
    with django_assert_max_num_queries(12):
        boss.get(TOKENS)


def test_deleting_a_person_counts_their_tokens(boss: Client, user: User) -> None:
    issue(user, "script", ORDINARY_SCOPES)
    page = boss.get(f"/admin/classifier/user/{user.pk}/delete/").content.decode()
    assert "Tokens: 1" in page or "tokens: 1" in page
    boss.post(f"/admin/classifier/user/{user.pk}/delete/", {"post": "yes"})
    assert not Token.objects.exists()
