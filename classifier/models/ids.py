"""Identifiers that sort by the time of their making."""

import secrets
import time
import uuid
from datetime import datetime


def uuid7() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): 48 bits of milliseconds, 12 of their fraction, 62 random.

    Unguessable in a URL, and yet an index over it grows at one end only, as a counter's does. The
    fraction, a step of which is a quarter of a microsecond, keeps rows of one request in order.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62
    return uuid.UUID(int=value | secrets.randbits(62))


def first_uuid7(moment: datetime) -> uuid.UUID:
    """The lower bound of those that are made from this moment on."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80)
