"""Gunicorn's threads, which answer people before programs.

A program may send a thousand pictures at once; whoever opens a page then must not wait until the
last of them is taken. So requests wait in two lanes, and a thread that is free looks into the
people's first. And a connection on which nothing has been sent yet takes no thread, where
gunicorn's own worker lets it hold one for five seconds.
"""

import socket
from collections import deque
from concurrent.futures import Future
from itertools import count
from time import monotonic
from typing import Any

from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker

PROGRAMS = (b"/api/v1/", b"/v2", b"/predict ", b"/predict?")
HEAD_BYTES = 64  # more than enough for the method and the beginning of the path
PROGRAMS_EVERY = 4  # turns, one is the programs', so that many people do not shut them out


class PagesFirst(ThreadWorker):  # type: ignore[misc]
    """One job in the pool for each request that waits; the job takes whichever is next."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people: deque[TConn] = deque()
        self.programs: deque[TConn] = deque()
        self.turns = count(1)
        self.notified = 0.0

    def notify(self) -> None:
        """Tell the arbiter once a second that we live: gunicorn's own tells it for every event."""
        now = monotonic()
        if now - self.notified >= 1:
            self.notified = now
            super().notify()

    def enqueue_req(self, conn: TConn) -> None:
        """Let a connection wait for a thread, or without one for what it has to say."""
        head = _first_bytes(conn.sock)
        if head is None and not conn.initialized and not conn.data_ready:
            self.finish_request(conn, _done(_DEFER))
            return
        _, _, path = (head or b"").partition(b" ")
        lane = self.programs if path.startswith(PROGRAMS) else self.people
        lane.append(conn)
        self.tpool.submit(self._handle_next)

    def _handle_next(self) -> None:
        conn = self._next()
        try:
            future = _done(self.handle(conn))
        except BaseException as error:
            future = Future()
            future.set_exception(error)
        self.method_queue.defer(self.finish_request, conn, future)

    def _next(self) -> TConn:
        """There is one for every job, in one of the lanes."""
        first, second = self.people, self.programs
        if next(self.turns) % PROGRAMS_EVERY == 0:
            first, second = second, first
        try:
            return first.popleft()
        except IndexError:
            return second.popleft()


def _first_bytes(connection: socket.socket) -> bytes | None:
    """What was sent first, left where it is; None if nothing was sent yet."""
    try:
        return connection.recv(HEAD_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:  # reset, say: reading it will tell
        return b""


def _done(result: object) -> "Future[object]":
    future: Future[object] = Future()
    future.set_result(result)
    return future
