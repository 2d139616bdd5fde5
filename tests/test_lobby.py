"""Threads that have run out of work stay for a moment, and are called past Celery."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from classifier import bells
from classifier.worker import lobby as lobby_module
from classifier.worker.lobby import Lobby

SOON = 5.0


@pytest.fixture
def lobby(broker):
    opened = Lobby()
    opened.open()
    wait_for(lambda: opened.calls == 1)  # it calls all once it listens; Redis knows a moment before
    yield opened
    opened.close()
    wait_for(lambda: listeners(broker) == 0)


def listeners(broker):
    return broker.pubsub_numsub(bells.call_channel(bells.CLASSIFY))[0][1]


def wait_for(holds):
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_who_stays_is_called_by_a_bell_and_no_message_is_sent(broker, lobby):
    with ThreadPoolExecutor() as pool:
        stays = pool.submit(lobby.stay, lobby.calls)
        wait_for(lambda: lobby._staying)
        bells.ring(bells.CLASSIFY)
        assert stays.result(SOON) is True
    assert broker.llen("classify") == 0


def test_one_bell_wakes_one_of_those_who_stay(broker, lobby, monkeypatch):
    monkeypatch.setattr(lobby_module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(lobby_module, "STAY_SECONDS", 0.5)
    with ThreadPoolExecutor(3) as pool:
        stays = [pool.submit(lobby.stay, lobby.calls) for _ in range(3)]
        wait_for(lambda: len(lobby._staying) == 3)
        bells.ring(bells.CLASSIFY)
        assert sorted(one.result(SOON) for one in stays) == [False, False, True]


def test_all_look_again_where_calls_may_have_been_missed(lobby):
    with ThreadPoolExecutor(2) as pool:
        stays = [pool.submit(lobby.stay, lobby.calls) for _ in range(2)]
        wait_for(lambda: len(lobby._staying) == 2)
        lobby.call_all()
        assert [one.result(SOON) for one in stays] == [True, True]


def test_where_nobody_stays_a_bell_becomes_a_message(broker, lobby):
    bells.ring(bells.CLASSIFY)
    wait_for(lambda: broker.llen("classify") == 1)


def test_where_no_worker_listens_a_bell_is_a_message_at_once(broker):
    bells.ring(bells.CLASSIFY)
    assert broker.llen("classify") == 1


def test_a_call_between_the_look_for_work_and_the_stay_is_not_missed(lobby):
    noted = lobby.calls
    lobby.call()
    assert lobby.stay(noted) is True


def test_nobody_stays_for_long(lobby, monkeypatch):
    monkeypatch.setattr(lobby_module, "STAY_SECONDS", 0.05)
    assert lobby.stay(lobby.calls) is False


def test_nobody_stays_where_nobody_would_be_heard(broker):
    begun = time.monotonic()
    assert Lobby().stay(0) is False
    assert time.monotonic() - begun < 1


def test_nobody_stays_in_a_worker_that_is_to_stop(lobby, monkeypatch):
    monkeypatch.setattr(lobby_module, "stopping", lambda: True)
    assert lobby.stay(lobby.calls) is False
