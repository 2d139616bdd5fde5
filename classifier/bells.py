"""Doorbells: a Celery message that says "there is work", and nothing else.

Work itself is rows, so a bell that is lost costs a delay until the next sweep, and a bell too many
costs one query. Bells for the same queue are coalesced by a key in Redis that the worker clears
before it looks for work. Where a worker listens for calls, one of them does instead of a message.
"""

import functools
from collections.abc import Callable

import redis
from celery import current_app
from django.db import transaction

from classifier import broker

CLASSIFY = "classify"
DELIVER = "deliver"
EVALUATE = "evaluate"

# The message's task, by queue. Names, so that the web never imports what a worker runs.
TASKS = {CLASSIFY: "classify_waiting", DELIVER: "deliver_due", EVALUATE: "evaluate_waiting"}
CALLED = {CLASSIFY}  # whose workers listen
COALESCE_SECONDS = 5  # a bell swallowed by a key whose worker died is rung again by the sweep


def _key(queue: str) -> str:
    return f"bell:{queue}"


def ring_on_commit(queue: str) -> None:
    """Ring once the surrounding transaction has committed; at once where there is none."""
    transaction.on_commit(lambda: ring(queue), robust=True)


def ring(queue: str) -> None:
    """Wake a worker of `queue`, unless one is being woken already.

    Never raises for a broker that is away: the rows are safe, and the sweep rings again.
    """
    _attempt(_ring, queue)


def ring_by_message(queue: str) -> None:
    """Ring by a message, which finds a worker that is free, unless one is on its way already."""
    _attempt(_send_message, queue)


def hear(queue: str) -> None:
    """Let the next bell through; a worker calls this before it looks for work."""
    trouble = f"the bell for {queue} could not be cleared"
    broker.attempt(lambda connection: connection.delete(_key(queue)), trouble)


def call_channel(queue: str) -> str:
    """Where workers listen for calls. Channels are not apart by Redis's databases, as keys are."""
    database = broker.connection().connection_pool.connection_kwargs.get("db", 0)
    return f"{database}:call:{queue}"


def _attempt(how: Callable[[str, redis.Redis], None], queue: str) -> None:
    trouble = f"the bell for {queue} could not be rung, the sweep will"
    broker.attempt(functools.partial(how, queue), trouble)


def _ring(queue: str, connection: redis.Redis) -> None:
    if queue not in CALLED or not connection.publish(call_channel(queue), b""):
        _send_message(queue, connection)


def _send_message(queue: str, connection: redis.Redis) -> None:
    if connection.set(_key(queue), 1, nx=True, ex=COALESCE_SECONDS):
        current_app.send_task(TASKS[queue], queue=queue)
