"""So many requests a minute for each user and each token, counted in Redis in one round trip."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis
from django.conf import settings
from redis.client import Pipeline
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from classifier import broker
from classifier.models import Token

if TYPE_CHECKING:
    from rest_framework.views import APIView  # itself reads the settings that name this module

MINUTE = 60
USER, TOKEN = "user", "token"


@dataclass(frozen=True)
class Rate:
    """Of whom requests are counted, under which key, and how many are let through; 0: all."""

    whose: str
    key: str
    limit: int


class PerMinute(BaseThrottle):
    """A fixed window: the count begins anew with every minute of the clock.

    A broker that is away counts nothing, and so refuses nothing.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Count the request. False if it is one too many."""
        rates = _limited(request)
        counts = _ask(rates, _add_one)[::2]
        return all(count <= rate.limit for rate, count in zip(rates, counts, strict=False))

    def wait(self) -> float:
        """Seconds until the next minute begins."""
        return MINUTE - time.time() % MINUTE


def counts_of(request: Request) -> dict[str, int]:
    """How many requests of this minute are counted so far: the user's, and the token's."""
    rates = _limited(request)
    counts = _ask(rates, lambda pipeline, name: pipeline.get(name))
    return {rate.whose: int(count or 0) for rate, count in zip(rates, counts, strict=False)}


def _limited(request: Request) -> list[Rate]:
    rates = [Rate(USER, f"user:{request.user.pk}", settings.API_RATE_PER_USER)]
    if isinstance(request.auth, Token):
        rates.append(Rate(TOKEN, f"token:{request.auth.pk}", settings.API_RATE_PER_TOKEN))
    return [rate for rate in rates if rate.limit]


def _ask(rates: list[Rate], what: Callable[[Pipeline, str], object]) -> list[Any]:
    """Do something with every counter in one round trip. Nothing comes back if Redis is away."""
    minute = int(time.time() // MINUTE)

    def ask(connection: redis.Redis) -> list[Any]:
        with connection.pipeline(transaction=False) as pipeline:
            for rate in rates:
                what(pipeline, f"rate:{rate.key}:{minute}")
            return pipeline.execute()

    return (broker.attempt(ask, "requests are not counted for now") or []) if rates else []


def _add_one(pipeline: Pipeline, name: str) -> None:
    pipeline.incr(name)
    pipeline.expire(name, 2 * MINUTE)
