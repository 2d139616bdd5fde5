"""A user and a token may send so many requests a minute, and a broker that is away refuses none."""

import time

import pytest
import redis
from django.test import Client

from classifier import broker as redis_of_ours
from classifier.api import throttling
from classifier.models import User
from tests.api import caller
from tests.factories import UserFactory

ME = "/api/v1/me/"
DEAD = "redis://127.0.0.1:1/0"


class Clock:
    """The time of day, and another for measuring, both of which stand still until told."""

    def __init__(self) -> None:
        self.now = 1_000_000 * throttling.MINUTE + 20.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttling, "time", clock)
    monkeypatch.setattr(redis_of_ours, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def counting(broker: redis.Redis, settings) -> redis.Redis:
    settings.API_RATE_PER_USER = settings.API_RATE_PER_TOKEN = 0
    yield broker
    redis_of_ours.forget()


def statuses(program: Client, count: int) -> list[int]:
    return [program.get(ME).status_code for _ in range(count)]


def test_one_too_many_is_refused_until_the_next_minute(user: User, settings, clock) -> None:
    settings.API_RATE_PER_USER = 2
    program = caller(user)
    assert statuses(program, 3) == [200, 200, 429]
    clock.now += 39
    assert statuses(program, 1) == [429]
    clock.now += 1
    assert statuses(program, 3) == [200, 200, 429]


def test_the_refusal_says_when_to_come_back(user: User, settings, clock) -> None:
    settings.API_RATE_PER_TOKEN = 1
    program = caller(user)
    program.get(ME)
    response = program.get(ME)
    assert response.json()["code"] == "rate_limited"
    assert response["Retry-After"] == "40"


def test_the_tokens_of_a_user_share_the_users_rate(user: User, settings, clock) -> None:
    settings.API_RATE_PER_USER = 2
    assert statuses(caller(user), 2) == [200, 200]
    assert statuses(caller(user), 1) == [429]


def test_a_session_counts_for_the_user_too(user: User, signed_in: Client, settings, clock) -> None:
    settings.API_RATE_PER_USER = 1
    assert statuses(signed_in, 1) == [200]
    assert statuses(caller(user), 1) == [429]


def test_each_token_has_a_rate_of_its_own(user: User, settings, clock) -> None:
    settings.API_RATE_PER_TOKEN = 1
    assert statuses(caller(user), 2) == [200, 429]
    assert statuses(caller(user), 2) == [200, 429]


def test_a_session_has_no_tokens_rate(signed_in: Client, settings, clock) -> None:
    settings.API_RATE_PER_TOKEN = 1
    assert statuses(signed_in, 3) == [200, 200, 200]


def test_users_do_not_disturb_each_other(user: User, settings, clock) -> None:
    settings.API_RATE_PER_USER = 1
    assert statuses(caller(user), 2) == [200, 429]
    assert statuses(caller(UserFactory()), 1) == [200]


def test_strangers_are_not_counted(client: Client, counting: redis.Redis, settings, clock) -> None:
    settings.API_RATE_PER_USER = 1
    client.get(ME)
    assert not counting.keys("rate:*")


def test_without_rates_nothing_is_counted(user: User, counting: redis.Redis) -> None:
    assert statuses(caller(user), 2) == [200, 200]
    assert not counting.keys("rate:*")


def test_counters_do_not_stay(user: User, counting: redis.Redis, settings) -> None:
    settings.API_RATE_PER_USER = settings.API_RATE_PER_TOKEN = 9
    caller(user).get(ME)
    keys = counting.keys("rate:*")
    assert len(keys) == 2
    assert all(0 < counting.ttl(key) <= 2 * throttling.MINUTE for key in keys)


def test_a_request_costs_one_round_trip(user: User, settings, monkeypatch) -> None:
    settings.API_RATE_PER_USER = settings.API_RATE_PER_TOKEN = 9
    program = caller(user)
    program.get("/api/v1/")
    sent = []
    send = redis.Connection.send_packed_command

    def counted(connection: redis.Connection, *arguments: object, **options: object) -> None:
        sent.append(arguments)
        send(connection, *arguments, **options)

    monkeypatch.setattr(redis.Connection, "send_packed_command", counted)
    program.get("/api/v1/")
    assert len(sent) == 1, "counted here, not at the server, which has other clients too"


class TestWithoutBroker:
    @pytest.fixture(autouse=True)
    def dead(self, settings, counting: redis.Redis) -> None:
        settings.REDIS_URL = DEAD
        settings.API_RATE_PER_USER = 1

    def test_nobody_is_refused(self, user: User) -> None:
        assert statuses(caller(user), 3) == [200, 200, 200]

    def test_nobody_waits_for_it_again_for_a_while(self, user: User, caplog, clock) -> None:
        program = caller(user)
        assert statuses(program, 3) == [200, 200, 200]
        assert caplog.text.count("requests are not counted for now") == 1
        clock.now += redis_of_ours.QUIET_SECONDS
        program.get(ME)
        assert caplog.text.count("requests are not counted for now") == 2

    def test_it_counts_again_once_it_is_back(
        self, user: User, settings, broker_url: str, clock
    ) -> None:
        program = caller(user)
        assert statuses(program, 2) == [200, 200]
        settings.REDIS_URL = broker_url
        redis_of_ours.connection.cache_clear()
        clock.now += redis_of_ours.QUIET_SECONDS
        assert statuses(program, 2) == [200, 429]


def test_a_broker_that_hangs_costs_a_second_and_not_more(user: User, settings) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        settings.API_RATE_PER_USER = 1
        program = caller(user)
        began = time.monotonic()
        assert statuses(program, 5) == [200] * 5
        assert time.monotonic() - began < 2.5
