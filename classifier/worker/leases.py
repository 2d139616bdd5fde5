"""Leases are renewed for as long as their work goes on, so that they can be short.

Short, because what a killed worker had in hand waits for its lease to run out; renewed, because the
first batch of a large network on a slow machine may take minutes.
"""

import functools
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, close_old_connections

from classifier.actions.claim import renew

logger = logging.getLogger(__name__)

_held: set[uuid.UUID] = set()


@contextmanager
def held(lease: uuid.UUID) -> Iterator[None]:
    """Keep a lease from running out inside the block."""
    _start_renewing()
    _held.add(lease)
    try:
        yield
    finally:
        _held.discard(lease)


@functools.cache
def _start_renewing() -> None:
    threading.Thread(target=_renew_for_ever, name="leases", daemon=True).start()


def _renew_for_ever() -> None:
    while True:
        time.sleep(settings.LEASE_SECONDS / 3)
        close_old_connections()
        renew_held()


def renew_held() -> None:
    """Renew every lease that is held; what fails is tried again at the next turn."""
    if leases := list(_held):
        try:
            renew(leases)
        except DatabaseError as error:
            logger.warning("%d leases could not be renewed: %s", len(leases), error)
