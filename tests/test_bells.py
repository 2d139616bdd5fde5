"""Bells are coalesced, carry nothing, and never stand in anybody's way."""

import json

import pytest

from classifier import bells
from classifier.actions.sweep import sweep
from classifier.broker import forget
from tests.factories import PredictionFactory


def test_ten_thousand_uploads_cost_one_message(broker):
    for _ in range(100):
        bells.ring(bells.CLASSIFY)
    assert broker.llen("classify") == 1


def test_a_bell_that_was_heard_can_ring_again(broker):
    bells.ring(bells.CLASSIFY)
    bells.hear(bells.CLASSIFY)
    bells.ring(bells.CLASSIFY)
    assert broker.llen("classify") == 2


def test_a_bell_swallowed_by_a_dead_worker_rings_again_soon(broker):
    bells.ring(bells.CLASSIFY)
    assert 0 < broker.ttl("bell:classify") <= bells.COALESCE_SECONDS


def test_a_message_names_its_task_and_carries_no_work(broker):
    bells.ring(bells.CLASSIFY)
    message = json.loads(broker.lindex("classify", 0))
    assert message["headers"]["task"] == "classify_waiting"
    assert (message["headers"]["argsrepr"], message["headers"]["kwargsrepr"]) == ("()", "{}")


@pytest.mark.django_db
def test_the_sweep_rings_while_anything_waits(broker):
    sweep()
    assert broker.llen("classify") == 0
    PredictionFactory()
    sweep()
    assert broker.llen("classify") == 1


@pytest.fixture
def broker_away(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1"
    forget()
    yield
    forget()


def test_a_broker_that_is_away_is_only_logged(broker_away, caplog):
    bells.ring(bells.CLASSIFY)
    bells.hear(bells.CLASSIFY)
    assert "the sweep will" in caplog.text


def test_a_broker_that_hangs_is_waited_for_once_and_not_by_every_upload(broker_away, caplog):
    for _ in range(100):
        bells.ring(bells.CLASSIFY)
    assert caplog.text.count("the sweep will") == 1


def test_a_broker_that_is_back_is_rung_again(broker):
    bells.ring(bells.CLASSIFY)
    assert broker.llen("classify") == 1
