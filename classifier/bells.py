"""Doorbells: a Celery message that says "there is work", and nothing else.

Work itself is rows, so a bell that is lost costs a delay until the next sweep, and a bell too many
costs one query. Bells for the same queue are coalesced by a key in Redis that the worker clears
before it looks for work.
"""

import functools
import logging
import time

import redis
from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

CLASSIFY = "classify"

# The message's task, by queue. Names, so that the web never imports what a worker runs.
TASKS = {CLASSIFY: "classify_waiting"}
QUIET_SECONDS = 5  # after a broker that did not answer, before anybody waits for it again
COALESCE_SECONDS = 5  # a bell swallowed by a key whose worker died is rung again by the sweep

_quiet_until = 0.0  # by time.monotonic()


@functools.cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)


def _key(queue: str) -> str:
    return f"bell:{queue}"


def ring_on_commit(queue: str) -> None:
    """Ring once the surrounding transaction has committed; at once where there is none."""
    transaction.on_commit(lambda: ring(queue), robust=True)


def ring(queue: str) -> None:
    """Wake a worker of `queue`, unless one is being woken already.

    Never raises for a broker that is away: the rows are safe, and the sweep rings again. Nor does
    one that hangs cost each upload its time-out: after a failure nobody tries for a few seconds.
    """
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        if _redis().set(_key(queue), 1, nx=True, ex=COALESCE_SECONDS):
            current_app.send_task(TASKS[queue], queue=queue)
    except (redis.RedisError, OperationalError, OSError) as error:
        logger.warning("the bell for %s could not be rung, the sweep will: %s", queue, error)
        _quiet_until = time.monotonic() + QUIET_SECONDS


def hear(queue: str) -> None:
    """Let the next bell through; a worker calls this before it looks for work."""
    try:
        _redis().delete(_key(queue))
    except redis.RedisError as error:
        logger.warning("the bell for %s could not be cleared: %s", queue, error)
