"""Threads that have run out of work stay for a moment, and are called without a message of Celery.

From hand to hand such a message takes three milliseconds and costs both sides one of CPU; uploads
often come one after another. So each process listens on one more channel. Who rings learns from
Redis whether anybody does, and sends the message where nobody does.
"""

import logging
import threading
import time
from collections import deque

from classifier import broker
from classifier.bells import CLASSIFY, call_channel, ring_by_message
from classifier.worker.stopping import stopping

logger = logging.getLogger(__name__)

STAY_SECONDS = 5.0  # after the last work
LOOK_SECONDS = 0.25  # between two looks at whether the worker is to stop
RETRY_SECONDS = 1.0  # between attempts to reach a broker that is away


class Lobby:
    """Where the threads of one process stay."""

    def __init__(self) -> None:
        self._calls = 0  # so far
        self._staying: deque[threading.Event] = deque()  # one for each thread
        self._lock = threading.Lock()
        self._is_open = threading.Event()

    @property
    def calls(self) -> int:
        """How many there were; to be noted before one looks for work."""
        return self._calls

    def open(self) -> None:
        """Listen from now on."""
        self._is_open.set()
        threading.Thread(target=self._listen_for_ever, name="lobby", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._is_open.clear()
        # Whoever hears it finds the lobby closed, or one message too many.
        trouble = "the lobby closes with its next call"
        broker.attempt(lambda redis: redis.publish(call_channel(CLASSIFY), b""), trouble)

    def stay(self, calls: int) -> bool:
        """Stay until one is called, or was since so many calls were noted. False if none came."""
        called = threading.Event()
        with self._lock:
            if self._calls != calls:
                return True
            self._staying.append(called)
        deadline = time.monotonic() + STAY_SECONDS
        while self._is_open.is_set() and not stopping() and time.monotonic() < deadline:
            if called.wait(LOOK_SECONDS):
                break
        with self._lock:
            if not called.is_set():
                self._staying.remove(called)
            return called.is_set()

    def call(self) -> None:
        """Wake one of those who stay. Where nobody does, Celery has to find somebody."""
        with self._lock:
            self._calls += 1
            is_empty = not self._staying
            if self._staying:
                self._staying.popleft().set()
        if is_empty:
            ring_by_message(CLASSIFY)

    def call_all(self) -> None:
        """Wake all who stay: calls may have been missed."""
        with self._lock:
            self._calls += 1
            while self._staying:
                self._staying.popleft().set()

    def _listen_for_ever(self) -> None:
        while self._is_open.is_set():
            try:
                for message in broker.messages(call_channel(CLASSIFY)):
                    if not self._is_open.is_set():
                        return
                    if message is None:
                        self.call_all()
                    else:
                        self.call()
            except Exception as error:  # whatever it is, the next round begins anew
                logger.warning("calls cannot be heard for now: %s", error)
            time.sleep(RETRY_SECONDS)


lobby = Lobby()
