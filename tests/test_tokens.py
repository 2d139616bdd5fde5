"""A token opens the door for its program until it is revoked or over, and nothing keeps it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.actions.tokens import (
    COARSE,
    MARK,
    ORDINARY_SCOPES,
    AlreadyIssued,
    NotReplaced,
    find_usable,
    grantable_scopes,
    issue,
    revoke,
    rotate,
)
from classifier.models import Scope, Token
from classifier.models.ids import uuid7
from classifier.models.token import TokenState
from tests.factories import UserFactory
from tests.test_queue_races import at_once

pytestmark = pytest.mark.django_db
PAST, FUTURE = timedelta(seconds=-1), timedelta(days=1)


def issued(owner, expires_in=None, **fields):
    """A token and what opens the door."""
    expires_at = timezone.now() + expires_in if expires_in else None
    return issue(owner, "script", ORDINARY_SCOPES, expires_at, **fields)


@pytest.fixture
def in_each_state(user):
    """A token in each state, by state."""
    tokens = {
        TokenState.USABLE: issued(user, FUTURE),
        TokenState.LOCKED: issued(UserFactory(is_active=False), FUTURE),
        TokenState.EXPIRED: issued(user, PAST),
        TokenState.REVOKED: issued(user, PAST),
    }
    revoke(tokens[TokenState.REVOKED][0])
    return tokens


def test_a_token_is_found_by_what_was_given_out(user):
    token, secret = issued(user)
    found = find_usable(secret)
    assert found == token
    assert found.owner == user
    assert found.scope_names == list(ORDINARY_SCOPES)


def test_what_opens_the_door_is_kept_nowhere(user):
    token, secret = issued(user)
    assert secret.startswith(MARK)
    kept = [str(value) for value in Token.objects.values_list().get()]
    assert not [value for value in kept if secret in value]
    assert token.prefix == secret[:10]
    assert secret not in f"{token!r} {token}"


def test_two_tokens_have_nothing_in_common(user):
    secrets = {issued(user)[1] for _ in range(20)}
    assert len(secrets) == 20
    assert {len(secret) for secret in secrets} == {len(MARK) + 43}


@pytest.mark.parametrize("wrong", ["", MARK, "slt_" + "A" * 43, "ünïcode", "x" * 10_000])
def test_what_was_never_given_out_opens_nothing(user, wrong):
    issued(user)
    assert find_usable(wrong) is None


def test_neither_the_prefix_nor_the_digest_nor_another_case_opens_the_door(user):
    token, secret = issued(user)
    for wrong in (token.prefix, token.digest, secret.swapcase(), secret + " ", secret[:-1]):
        assert find_usable(wrong) is None


@pytest.mark.parametrize("state", TokenState)
def test_only_a_token_that_works_opens_the_door(in_each_state, state):
    assert (find_usable(in_each_state[state][1]) is not None) is (state == TokenState.USABLE)


@pytest.mark.parametrize("state", TokenState)
def test_a_token_knows_the_state_by_which_it_is_filtered(in_each_state, state):
    [found] = Token.objects.in_state(state)
    assert found == in_each_state[state][0]
    assert found.state == state


def test_a_refusal_costs_the_same_whatever_its_reason(in_each_state, django_assert_num_queries):
    refused = [in_each_state[state][1] for state in TokenState if state != TokenState.USABLE]
    for secret in ["slt_unknown", *refused]:
        with django_assert_num_queries(1):
            find_usable(secret)


def test_a_use_is_written_down_every_few_minutes_only(user, django_assert_num_queries):
    token, secret = issued(user)
    find_usable(secret)
    token.refresh_from_db()
    first = token.last_used_at
    assert timezone.now() - first < timedelta(minutes=1)
    with django_assert_num_queries(1):
        find_usable(secret)
    Token.objects.update(last_used_at=first - COARSE)
    find_usable(secret)
    token.refresh_from_db()
    assert token.last_used_at >= first


def test_a_refused_use_is_not_written_down(user):
    token, secret = issued(user, PAST)
    find_usable(secret)
    token.refresh_from_db()
    assert token.last_used_at is None


def test_a_changed_password_leaves_tokens_as_they_are(user):
    _, secret = issued(user)
    user.set_password("quite another sentence")
    user.save()
    assert find_usable(secret)


def test_the_tokens_of_somebody_who_is_locked_out_and_let_in_again_work_again(user):
    _, secret = issued(user)
    for active in (False, True):
        user.is_active = active
        user.save()
        assert (find_usable(secret) is not None) is active


def test_a_revoked_token_stays_revoked_since_the_first_time(user):
    token, secret = issued(user)
    assert revoke(token)
    token.refresh_from_db()
    first = token.revoked_at
    assert not revoke(token)
    token.refresh_from_db()
    assert token.revoked_at == first
    assert find_usable(secret) is None


def test_a_rotated_token_is_the_same_with_another_key(user):
    token, old = issued(user, FUTURE)
    find_usable(old)
    token.refresh_from_db()
    before = (token.id, token.name, token.scopes, token.expires_at, token.created_at)
    new = rotate(token)
    assert find_usable(old) is None
    assert Token.objects.get().last_used_at is None, "the new one has not been used"
    found = find_usable(new)
    assert (found.id, found.name, found.scopes, found.expires_at, found.created_at) == before
    assert new.startswith(found.prefix)
    assert token.prefix == found.prefix


@pytest.mark.parametrize("state", [TokenState.EXPIRED, TokenState.REVOKED])
def test_a_token_that_is_over_cannot_be_rotated(in_each_state, state):
    token, _ = in_each_state[state]
    with pytest.raises(NotReplaced):
        rotate(token)
    assert Token.objects.get(id=token.id).digest == token.digest


@pytest.mark.django_db(transaction=True)
def test_of_several_who_rotate_a_token_at_once_one_gets_the_key(user):
    token, _ = issued(user)

    def race(_):
        try:
            return rotate(Token(id=token.id, digest=token.digest))
        except NotReplaced:
            return None

    keys = [key for key in at_once(4, race) if key]
    assert len(keys) == 1
    assert find_usable(keys[0])


def test_the_same_request_twice_makes_one_token(user):
    id = uuid7()
    _, secret = issued(user, id=id)
    with pytest.raises(AlreadyIssued):
        issued(user, id=id)
    assert Token.objects.get().id == id
    assert find_usable(secret)


def test_only_staff_are_offered_to_review(user, staff):
    assert set(Scope) - set(grantable_scopes(user)) == {Scope.REVIEW_WRITE}
    assert grantable_scopes(staff) == list(Scope)
