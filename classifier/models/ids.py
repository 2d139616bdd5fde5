"""Identifiers that sort by the time of their making."""

import secrets
import time
import uuid


def uuid7() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): 48 bits of milliseconds, then 74 random bits.

    Unguessable in a URL, and yet an index over it grows at one end only, as a counter's does.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62
    return uuid.UUID(int=value | random & (1 << 62) - 1)
