"""The task behind the bell `deliver`: claim, send, settle, until nothing is due.

One thread of the process holds the database and gives out the work; those that send hold nothing,
so that a receiver that hangs costs a thread and no connection.
"""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from queue import SimpleQueue

from celery import shared_task
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from classifier.actions.deliver import Reply, claim_due, ready, settle_delivery, soonest_due
from classifier.bells import DELIVER, hear, ring
from classifier.models import Delivery
from classifier.worker.messages import message_of
from classifier.worker.places import Places
from classifier.worker.sending import send
from classifier.worker.stopping import stopping

logger = logging.getLogger(__name__)

AT_ONCE = 32  # messages under way in this process
AT_ONCE_OF_ONE = 4  # of one endpoint


@dataclass(frozen=True)
class Sent:
    """An attempt that was made."""

    delivery: Delivery
    reply: Reply


_places = Places(AT_ONCE, AT_ONCE_OF_ONE)
_senders = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="send")
_news: SimpleQueue[Sent | None] = SimpleQueue()  # None: a bell
_draining = threading.Lock()
_alarm: threading.Timer | None = None  # set by whoever drains


@shared_task(name="deliver_due")
def deliver_due() -> None:
    """Drain, or let the thread that does know of the bell, so that no second one is taken up.

    A warm shutdown stops it after the messages under way.
    """
    hear(DELIVER)
    _news.put(None)
    while not _news.empty() and _draining.acquire(blocking=False):
        try:
            _drain()
        finally:
            _draining.release()


def _drain() -> None:
    while True:
        while not _news.empty():
            _take_in(_news.get())
        if not stopping():
            _begin()
        if not _places.are_taken:
            break
        _take_in(_news.get())
    _ring_when_next_is_due()


def _begin() -> None:
    """Claim what there is a place for, and have it sent."""
    for endpoint_id, room in _places.share_out(ready()):
        for delivery in claim_due(endpoint_id, room):
            _places.take(endpoint_id)
            _senders.submit(_send, delivery)


def _send(delivery: Delivery) -> None:
    """In a thread of its own, which must not touch the database."""
    reply = Reply(error="The message could not be sent, for a reason of our own.")
    try:
        reply = send(message_of(delivery))
    except Exception:
        logger.exception("delivery %s", delivery.id)
    finally:
        _news.put(Sent(delivery, reply))


def _take_in(news: Sent | None) -> None:
    if news is None:
        return
    _places.give_back(news.delivery.endpoint_id)
    try:
        settle_delivery(news.delivery, news.reply)
    except DatabaseError as error:  # its lease runs out, and it is tried again
        logger.warning("delivery %s could not be settled: %s", news.delivery.id, error)


def _ring_when_next_is_due() -> None:
    """The first retry comes sooner than the next sweep may."""
    global _alarm
    if _alarm is not None:
        _alarm.cancel()
    soonest = soonest_due(within=timedelta(seconds=settings.SWEEP_SECONDS))
    if soonest is not None:
        seconds = max(0.0, (soonest - timezone.now()).total_seconds())
        _alarm = threading.Timer(seconds, ring, [DELIVER])
        _alarm.daemon = True
        _alarm.start()
