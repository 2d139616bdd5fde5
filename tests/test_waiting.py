"""Who waits for predictions is woken when they end, and never waits in vain for long."""

import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import timedelta

import pytest
import redis
from django.db import connection
from django.utils import timezone

from classifier import waiting
from classifier.actions.cancel import cancel_one
from classifier.actions.claim import claim
from classifier.actions.delete import delete_prediction
from classifier.actions.settle import Outcome, settle
from classifier.actions.sweep import sweep
from classifier.actions.wait import wait_until_ended
from classifier.broker import forget
from classifier.models import Prediction
from tests.conftest import _redis_server
from tests.factories import PredictionFactory

LONG = 30  # seconds, so that whoever is not woken is noticed
SOON = 10


class Table:
    """What is still pending, and how often somebody looked; stands for the table of predictions."""

    def __init__(self, *pending: uuid.UUID) -> None:
        self.pending = set(pending)
        self.looks = 0
        self.looked = threading.Event()

    def still_pending(self, ids: set[uuid.UUID]) -> set[uuid.UUID]:
        self.looks += 1
        self.looked.set()
        return self.pending & ids

    def end(self, *ids: uuid.UUID) -> None:
        self.pending.difference_update(ids)
        waiting.tell(ids)


@contextmanager
def redis_at(port: int) -> Iterator[redis.Redis]:
    """A Redis of the test's own, which dies at the end of the block."""
    options = ["--port", str(port), "--save", "", "--loglevel", "warning"]
    process = subprocess.Popen([_redis_server(), *options], stdout=subprocess.DEVNULL)
    retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 100)
    client = redis.Redis(port=port, retry=retry, retry_on_error=[redis.ConnectionError])
    try:
        client.ping()
        yield client
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture(autouse=True)
def _afresh(settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A listener and seats of the test's own, at the broker that the test names."""
    settings.WAITING_SEATS = 8
    monkeypatch.setattr(waiting, "_listener", waiting._Listener())
    waiting._seats.cache_clear()
    forget()
    yield
    waiting._seats.cache_clear()
    forget()


def begin(
    pool: ThreadPoolExecutor, table: Table, *ids: uuid.UUID, seconds: float = LONG
) -> Future[bool]:
    """Wait in another thread; comes back once it has begun to."""
    waits = pool.submit(waiting.wait, ids, seconds, table.still_pending)
    assert table.looked.wait(SOON)
    return waits


def test_who_waits_is_woken_by_what_is_told_and_looks_no_second_time(broker, pool):
    id = uuid.uuid4()
    table = Table(id)
    waits = begin(pool, table, id)
    table.end(id)
    assert waits.result(SOON) is True
    assert table.looks == 1


def test_who_waits_for_several_goes_on_until_the_last_has_ended(broker, pool):
    ids = [uuid.uuid4() for _ in range(3)]
    table = Table(*ids)
    waits = begin(pool, table, *ids)
    for id in ids:
        assert not waits.done()
        table.end(id)
        wait([waits], timeout=0.2)
    assert waits.result(SOON) is True


def test_several_are_told_of_at_once_and_each_waiter_hears_of_its_own(broker, pool):
    ids = [uuid.uuid4() for _ in range(5)]
    table = Table(*ids)
    waits = []
    for id in ids:
        table.looked.clear()
        waits.append(begin(pool, table, id))
    table.end(*ids[:3])
    assert [waiter.result(SOON) for waiter in waits[:3]] == [True] * 3
    assert not any(waiter.done() for waiter in waits[3:])
    table.end(*ids[3:])
    assert [waiter.result(SOON) for waiter in waits[3:]] == [True] * 2


def test_what_somebody_else_waits_for_wakes_nobody(broker, pool):
    id = uuid.uuid4()
    table = Table(id)
    waits = begin(pool, table, id, seconds=0.5)
    table.end(uuid.uuid4())
    assert waits.result(SOON) is False


def test_what_ended_before_the_wait_began_is_not_waited_for(broker):
    assert waiting.wait([uuid.uuid4()], LONG, Table().still_pending) is True
    assert waiting.wait([], LONG, Table().still_pending) is True


def test_what_ends_while_one_looks_is_not_missed(broker):
    id = uuid.uuid4()
    table = Table(id)

    def look_too_early(ids: set[uuid.UUID]) -> set[uuid.UUID]:
        """It ends after the table was read, and before the answer is there."""
        seen = table.still_pending(ids)
        table.end(id)
        time.sleep(0.2)  # until the message has come
        return seen

    begun = time.monotonic()
    assert waiting.wait([id], LONG, look_too_early) is True
    assert time.monotonic() - begun < SOON


def test_the_wait_ends_when_the_time_has_run_out(broker):
    id = uuid.uuid4()
    begun = time.monotonic()
    assert waiting.wait([id], 0.3, Table(id).still_pending) is False
    assert 0.3 <= time.monotonic() - begun < SOON


def test_no_time_at_all_is_time_for_one_look(broker):
    id = uuid.uuid4()
    assert waiting.wait([id], 0, Table(id).still_pending) is False
    assert waiting.wait([id], 0, Table().still_pending) is True


def test_no_more_wait_than_there_are_seats(broker, pool, settings):
    settings.WAITING_SEATS = 2
    ids = [uuid.uuid4(), uuid.uuid4()]
    table = Table(*ids)
    waits = []
    for id in ids:
        table.looked.clear()
        waits.append(begin(pool, table, id))
    with pytest.raises(waiting.NoSeat):
        waiting.wait([uuid.uuid4()], LONG, table.still_pending)
    table.end(*ids)
    assert [waiter.result(SOON) for waiter in waits] == [True, True]
    assert waiting.wait([uuid.uuid4()], LONG, Table().still_pending) is True


def test_a_seat_is_free_again_whatever_ends_the_wait(broker, settings):
    settings.WAITING_SEATS = 1

    def fail(ids: object) -> set[uuid.UUID]:
        raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            waiting.wait([uuid.uuid4()], LONG, fail)
    id = uuid.uuid4()
    assert waiting.wait([id], 0.1, Table(id).still_pending) is False
    assert waiting.wait([id], 0.1, Table().still_pending) is True


def test_one_thread_listens_however_many_wait(broker, pool):
    ids = [uuid.uuid4() for _ in range(8)]
    table = Table(*ids)
    before = threading.active_count()
    barrier = threading.Barrier(8)

    def begin_at_once(id: uuid.UUID) -> bool:
        barrier.wait()
        return waiting.wait([id], LONG, table.still_pending)

    waits = [pool.submit(begin_at_once, id) for id in ids]
    while table.looks < 8:
        time.sleep(0.01)
    assert threading.active_count() - before == 8 + 1
    table.end(*ids)
    assert all(waiter.result(SOON) for waiter in waits)


def test_a_broker_that_is_away_costs_the_waiter_the_time_but_no_error(settings, free_port):
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port}"
    id = uuid.uuid4()
    table = Table(id)
    table.end(uuid.uuid4())
    assert waiting.wait([id], 0.2, table.still_pending) is False
    assert waiting.wait([id], LONG, Table().still_pending) is True


def test_what_ended_while_the_broker_was_away_is_found_when_it_is_back(settings, free_port, pool):
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port}"
    ids = [uuid.uuid4(), uuid.uuid4()]
    table = Table(*ids)
    with redis_at(free_port):
        waits = begin(pool, table, *ids)
    table.end(ids[0])  # nobody hears it
    assert not waits.done()
    with redis_at(free_port) as client:
        while not client.pubsub_numsub(waiting.CHANNEL)[0][1]:
            time.sleep(0.05)
        forget()  # whoever tells it had no trouble before
        table.end(ids[1])  # and messages are heard again
        assert waits.result(SOON) is True
    assert table.looks == 2


def test_a_message_of_somebody_else_stops_nobody_from_hearing(broker, pool):
    ids = [uuid.uuid4(), uuid.uuid4()]
    table = Table(*ids)
    waits = begin(pool, table, *ids)
    broker.publish(waiting.CHANNEL, b"nothing of ours")
    table.end(ids[0])
    wait([waits], timeout=waiting.RETRY_SECONDS + 0.5)
    table.end(ids[1])
    assert waits.result(SOON) is True


def test_nobody_listens_to_a_broker_that_is_away_unless_somebody_waits(settings, free_port, pool):
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port}"
    id = uuid.uuid4()
    before = threading.active_count()
    waiting.wait([id], 0.1, Table(id).still_pending)
    deadline = time.monotonic() + SOON
    while threading.active_count() > before:
        assert time.monotonic() < deadline, "the listener goes on"
        time.sleep(0.05)
    with redis_at(free_port):
        table = Table(id)
        waits = begin(pool, table, id)
        table.end(id)
        assert waits.result(SOON) is True


def begin_until_ended(pool: ThreadPoolExecutor, prediction: Prediction) -> Future[bool]:
    """Wait for a row of the real table in another thread; comes back once it has begun to."""

    def wait_and_hang_up() -> bool:
        try:
            return wait_until_ended([prediction.id], LONG)
        finally:
            connection.close()

    waits = pool.submit(wait_and_hang_up)
    while not waiting._listener._waiters:
        time.sleep(0.01)
    wait([waits], timeout=0.3)  # until it has looked
    assert not waits.done()
    return waits


def succeed(prediction: Prediction) -> None:
    claimed = claim(1)
    assert claimed is not None
    settle(claimed.lease, [Outcome(prediction.id, [{"label": "cat", "score": 0.9}])], 0.1, 1)


def fail(prediction: Prediction) -> None:
    claimed = claim(1)
    assert claimed is not None
    settle(claimed.lease, [Outcome(prediction.id, None, "undecodable", "Cut off.")], 0.1, 1)


def expire(prediction: Prediction) -> None:
    Prediction.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    sweep()


def exhaust(prediction: Prediction) -> None:
    claim(1)
    past = timezone.now() - timedelta(seconds=1)
    Prediction.objects.update(attempts=3, lease_expires_at=past)
    sweep()


ENDS = [succeed, fail, expire, exhaust, cancel_one, delete_prediction]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_whatever_ends_a_prediction_wakes_who_waits_for_it(broker, pool, end):
    prediction = PredictionFactory()
    waits = begin_until_ended(pool, prediction)
    end(prediction)
    assert waits.result(SOON) is True


@pytest.mark.django_db(transaction=True)
def test_a_prediction_that_a_worker_began_is_waited_for_still(broker, pool):
    prediction = PredictionFactory()
    waits = begin_until_ended(pool, prediction)
    claimed = claim(1)
    wait([waits], timeout=0.3)
    assert not waits.done()
    settle(claimed.lease, [Outcome(prediction.id, [{"label": "cat", "score": 0.9}])], 0.1, 1)
    assert waits.result(SOON) is True


@pytest.mark.django_db(transaction=True)
def test_who_is_told_can_see_what_ended(broker, pool, monkeypatch):
    """The message goes out after the commit: whoever hears it and looks finds the end."""
    prediction = PredictionFactory()
    seen = []

    def look(ids: object) -> None:
        def from_outside() -> str:
            try:
                return Prediction.objects.get(id=prediction.id).status
            finally:
                connection.close()

        seen.append(pool.submit(from_outside).result(SOON))

    monkeypatch.setattr(waiting, "tell", look)
    succeed(prediction)
    assert seen == ["succeeded"]


@pytest.mark.django_db
def test_a_prediction_that_ended_or_never_was_is_not_waited_for(broker):
    ended = PredictionFactory(succeeded=True)
    assert wait_until_ended([ended.id, uuid.uuid4()], LONG) is True


def test_what_could_not_be_told_is_found_by_looking_now_and_then(settings, pool, monkeypatch):
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.2)
    settings.REDIS_URL = "redis://127.0.0.1:1"
    key = uuid.uuid4()
    table = Table(key)
    waits = begin(pool, table, key)
    table.end(key)
    assert waits.result(SOON) is True
