"""Doorbells: a Celery message that says "there is work", and nothing else.

Work itself is rows, so a bell that is lost costs a delay until the next sweep, and a bell too many
costs one query. Bells for the same queue are coalesced by a key in Redis that the worker clears
before it looks for work.
"""

import functools

import redis
from celery import current_app
from django.db import transaction

from classifier import broker

CLASSIFY = "classify"
DELIVER = "deliver"

# The message's task, by queue. Names, so that the web never imports what a worker runs.
TASKS = {CLASSIFY: "classify_waiting", DELIVER: "deliver_due"}
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
    trouble = f"the bell for {queue} could not be rung, the sweep will"
    broker.attempt(functools.partial(_ring, queue), trouble)


def hear(queue: str) -> None:
    """Let the next bell through; a worker calls this before it looks for work."""
    trouble = f"the bell for {queue} could not be cleared"
    broker.attempt(lambda connection: connection.delete(_key(queue)), trouble)


def _ring(queue: str, connection: redis.Redis) -> None:
    if connection.set(_key(queue), 1, nx=True, ex=COALESCE_SECONDS):
        current_app.send_task(TASKS[queue], queue=queue)
