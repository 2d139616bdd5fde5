"""Redis, for those who can do without it: nothing of what is asked here fails if it is away."""

import functools
import logging
import time
from collections.abc import Callable
from typing import TypeVar

import redis
from django.conf import settings
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

QUIET_SECONDS = 5  # after a broker that did not answer, before anybody waits for it again

Answer = TypeVar("Answer")
_quiet_until = 0.0  # by time.monotonic()


def attempt(ask: Callable[[redis.Redis], Answer], trouble: str) -> Answer | None:
    """Ask Redis for something. None if it does not answer, in which case the log has `trouble`.

    One that hangs does not cost every caller its time-out: after a failure nobody tries for a few
    seconds.
    """
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return None
    try:
        return ask(connection())
    except (redis.RedisError, OperationalError, OSError) as error:
        logger.warning("%s: %s", trouble, error)
        _quiet_until = time.monotonic() + QUIET_SECONDS
        return None


@functools.cache
def connection() -> redis.Redis:
    """This process's own pool of connections, which gives up soon."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)


def forget() -> None:
    """Begin anew: connect again, and try at once."""
    global _quiet_until
    connection.cache_clear()
    _quiet_until = 0.0
