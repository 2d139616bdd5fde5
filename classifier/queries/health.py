"""Whether this process can work: what it needs, and which of it does not answer."""

import redis
from django.conf import settings
from django.db import DatabaseError, connection


def failing() -> list[str]:
    """The names of what does not answer; empty where requests can be served."""
    return [name for name, check in CHECKS.items() if not check()]


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _broker_answers() -> bool:
    timeouts = {"socket_timeout": 1, "socket_connect_timeout": 1}
    try:
        with redis.Redis.from_url(settings.REDIS_URL, **timeouts) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


CHECKS = {"database": _database_answers, "broker": _broker_answers}
