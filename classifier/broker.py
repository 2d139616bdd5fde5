"""Redis, for those who can do without it: nothing of what is asked here fails if it is away."""

import functools
import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import redis
from django.conf import settings
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

PING_SECONDS = 30.0
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


def messages(channel: str) -> Iterator[bytes | None]:
    """What is published on a channel, for as long as the connection holds; None once one listens.

    A peer that is gone without a word is noticed by the kernel's probes and by our pings.

    Raises:
        redis.RedisError: when Redis is away.
    """
    listening = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=1,
        socket_keepalive=True,
        health_check_interval=PING_SECONDS,
    )
    with listening.pubsub() as pubsub:  # type: ignore[no-untyped-call]
        pubsub.subscribe(channel)
        while True:
            message = pubsub.get_message(timeout=PING_SECONDS)
            if message is not None and message["type"] == "subscribe":
                yield None
            elif message is not None and message["type"] == "message":
                yield message["data"]


@functools.cache
def connection() -> redis.Redis:
    """This process's own pool of connections, which gives up soon."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)


def forget() -> None:
    """Begin anew: connect again, and try at once."""
    global _quiet_until
    connection.cache_clear()
    _quiet_until = 0.0
