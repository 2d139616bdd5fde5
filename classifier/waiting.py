"""Wait for predictions to end, woken through Redis and not by asking the database again and again.

Whoever ends predictions tells their ids on one channel. Each process that waits has one thread that
listens, and a bounded number of seats, so that those who wait never take every thread that answers.
"""

import functools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from django.conf import settings

from classifier import broker

logger = logging.getLogger(__name__)

CHANNEL = "ended"
SUBSCRIBE_SECONDS = 1.0  # for the listener to be there; without it one waits all the same
LOOK_SECONDS = (
    10.0  # after which one looks anyway: whoever ended it may not have reached the broker
)
RETRY_SECONDS = 1.0  # between attempts to reach a broker that is away


class NoSeat(Exception):
    """As many wait in this process as may."""


def tell(ids: Collection[uuid.UUID]) -> None:
    """Wake whoever waits for one of these. A broker that is away costs the waiters a delay only."""
    packed = b"".join(key.bytes for key in ids)
    trouble = "those who wait could not be told"
    broker.attempt(lambda connection: connection.publish(CHANNEL, packed), trouble)


def wait(
    ids: Collection[uuid.UUID],
    seconds: float,
    still_pending: Callable[[Collection[uuid.UUID]], Collection[uuid.UUID]],
) -> bool:
    """Wait until all have ended. False if the time ran out first.

    Args:
        ids: the predictions to wait for.
        seconds: the longest wait.
        still_pending: says which of the given ids have not ended; asked once at the beginning, and
            again only where messages may have been missed, and now and then.

    Raises:
        NoSeat: if too many wait already.
    """
    with seat():
        return wait_in_seat(ids, seconds, still_pending)


def wait_in_seat(
    ids: Collection[uuid.UUID],
    seconds: float,
    still_pending: Callable[[Collection[uuid.UUID]], Collection[uuid.UUID]],
) -> bool:
    """Wait as `wait` does, for whoever has a seat already."""
    deadline = time.monotonic() + seconds
    with _listener.hearing(ids) as waiter:
        # First listen, then look: what ends in between is not missed.
        waiter.look(still_pending)
        while waiter.is_waiting():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if not waiter.sleep(min(left, LOOK_SECONDS)):
                waiter.look_again()
            waiter.look(still_pending)
    return True


@contextmanager
def seat() -> Iterator[None]:
    """Keep a place for one who is about to wait.

    Raises:
        NoSeat: if too many wait already.
    """
    seats = _seats()
    if not seats.acquire(blocking=False):
        raise NoSeat
    try:
        yield
    finally:
        seats.release()


@functools.cache
def _seats() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(settings.WAITING_SEATS)


class _Waiter:
    """The predictions that one request still waits for; the listener's thread takes some away."""

    def __init__(self, ids: Collection[uuid.UUID]) -> None:
        self._open = set(ids)
        self._missed = True  # messages, perhaps: then it is time to look
        self._changed = threading.Condition()

    def is_waiting(self) -> bool:
        with self._changed:
            return bool(self._open)

    def look(self, still_pending: Callable[[Collection[uuid.UUID]], Collection[uuid.UUID]]) -> None:
        """Ask which have ended, if messages may have been missed."""
        with self._changed:
            asked = set(self._open) if self._missed else set()
            self._missed = False
        if asked:
            self.ended(asked.difference(still_pending(asked)))

    def sleep(self, seconds: float) -> bool:
        """Sleep until all have ended or it is time to look. False if the time ran out first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open or self._missed, seconds)

    def ended(self, ids: Collection[uuid.UUID]) -> None:
        with self._changed:
            if not self._open.isdisjoint(ids):
                self._open.difference_update(ids)
                self._changed.notify()

    def look_again(self) -> None:
        with self._changed:
            self._missed = True
            self._changed.notify()


class _Listener:
    """The one thread of a process that hears what has ended and wakes those who wait for it."""

    def __init__(self) -> None:
        self._waiters: set[_Waiter] = set()
        self._lock = threading.Lock()
        self._subscribed = threading.Event()
        self._is_started = False

    @contextmanager
    def hearing(self, ids: Collection[uuid.UUID]) -> Iterator[_Waiter]:
        waiter = _Waiter(ids)
        with self._lock:
            self._waiters.add(waiter)
            if not self._is_started:
                threading.Thread(target=self._listen_on, name="ended", daemon=True).start()
                self._is_started = True
        self._subscribed.wait(SUBSCRIBE_SECONDS)
        try:
            yield waiter
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def _listen_on(self) -> None:
        """Listen as long as the broker is there; while it is away, as long as anybody waits."""
        while True:
            try:
                self._listen()
            except Exception as error:  # whatever it is, the next round begins anew
                trouble = error
            self._subscribed.clear()
            with self._lock:
                if not self._waiters:
                    self._is_started = False
                    return
            logger.warning("what has ended cannot be heard for now: %s", trouble)
            time.sleep(RETRY_SECONDS)

    def _listen(self) -> None:
        for message in broker.messages(CHANNEL):
            if message is None:
                self._wake_all()  # of what happened while nobody listened
                self._subscribed.set()
            else:
                self._wake(message)

    def _wake_all(self) -> None:
        with self._lock:
            for waiter in self._waiters:
                waiter.look_again()

    def _wake(self, packed: bytes) -> None:
        ended = {uuid.UUID(bytes=packed[i : i + 16]) for i in range(0, len(packed), 16)}
        with self._lock:
            for waiter in self._waiters:
                waiter.ended(ended)


_listener = _Listener()
