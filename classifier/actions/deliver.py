"""Send what is owed to webhooks: lease what is due, and write down what came of it."""

import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from classifier.models import Delivery, DeliveryStatus, Endpoint
from classifier.models.ids import first_uuid7

# After the first failed attempt, after the second, and so on, until there are none left.
PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MOST_ATTEMPTS = len(PAUSES) + 1
JITTER = 0.1  # of a pause, either way, so that what failed together does not come back together
LONGEST_ASKED = timedelta(days=1)  # that a receiver's Retry-After may put off
LEASE = timedelta(seconds=60)  # well beyond what an attempt may take
KEPT = timedelta(days=30)
GONE = gettext_noop("It answered 410 Gone, which asks for no more messages.")
WORKER_DIED = "Whatever process sent it stopped before it had an answer."


@dataclass(frozen=True)
class Reply:
    """What came of an attempt: a status code, or in words why there is none."""

    code: int | None = None
    error: str = ""
    retry_after: timedelta = timedelta(0)

    @property
    def is_success(self) -> bool:
        return self.code is not None and 200 <= self.code < 300


def ready() -> list[uuid.UUID]:
    """The endpoints that something is to be sent to now."""
    return list(Endpoint.objects.with_due().values_list("id", flat=True))


def claim_due(endpoint_id: uuid.UUID, at_most: int) -> list[Delivery]:
    """Lease the endpoint's deliveries that are due, the longest due first, each with its endpoint.

    The attempt is counted here, before it is made, so that one that kills its process is counted.
    """
    now = timezone.now()
    with transaction.atomic():
        due = Delivery.objects.due().filter(endpoint=endpoint_id).order_by("due_at")
        locked = due.select_for_update(skip_locked=True, of=("self",))
        rows = list(locked.select_related("endpoint")[:at_most])
        lease = uuid.uuid4()
        Delivery.objects.filter(id__in=[row.id for row in rows]).update(
            attempts=models.F("attempts") + 1,
            lease=lease,
            lease_expires_at=now + LEASE,
            attempted_at=now,
        )
    for row in rows:
        row.lease = lease
        row.attempts += 1
    return rows


def settle_delivery(delivery: Delivery, reply: Reply) -> bool:
    """Write what came of a claimed attempt. False if it was not this claim's any more."""
    now = timezone.now()
    gone = reply.code == HTTPStatus.GONE
    result: dict[str, object] = {"status": DeliveryStatus.SUCCEEDED, "completed_at": now}
    if not reply.is_success:
        result["status"] = DeliveryStatus.FAILED
        if not gone and delivery.attempts < MOST_ATTEMPTS:
            result = {"due_at": _due_again(now, delivery.attempts, reply.retry_after)}
    with transaction.atomic():
        held = Delivery.objects.filter(
            id=delivery.id, lease=delivery.lease, status=DeliveryStatus.PENDING
        )
        settled = held.update(
            response_code=reply.code,
            error=reply.error[:255],
            lease=None,
            lease_expires_at=None,
            **result,
        )
        if settled and gone:
            _disable(delivery, now)
    return settled == 1


def soonest_due(within: timedelta) -> datetime | None:
    """When the next delivery becomes due, if that is soon."""
    now = timezone.now()
    soon = Delivery.objects.filter(
        status=DeliveryStatus.PENDING, due_at__gt=now, due_at__lte=now + within
    )
    return soon.order_by("due_at").values_list("due_at", flat=True).first()


def tidy_deliveries() -> None:
    """End what was tried as often as may be, and delete what is old."""
    now = timezone.now()
    Delivery.objects.filter(
        status=DeliveryStatus.PENDING, lease_expires_at__lt=now, attempts__gte=MOST_ATTEMPTS
    ).update(
        status=DeliveryStatus.FAILED,
        error=WORKER_DIED,
        completed_at=now,
        lease=None,
        lease_expires_at=None,
    )
    # Ids go by time, so that the look at old rows ends where the younger ones begin.
    long_ago = now - KEPT
    ended = models.Q(completed_at__lt=long_ago)
    never_sent = models.Q(status=DeliveryStatus.PENDING, due_at__lt=long_ago)  # long paused
    old = Delivery.objects.filter(ended | never_sent, id__lt=first_uuid7(long_ago))
    old._raw_delete(old.db)  # nothing hangs on them


def _due_again(now: datetime, attempts: int, asked: timedelta) -> datetime:
    pause = PAUSES[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    return now + max(pause, min(asked, LONGEST_ASKED))


def _disable(delivery: Delivery, now: datetime) -> None:
    """Only if the answer came from the address that the endpoint has still."""
    same = Endpoint.objects.enabled().managed().filter(id=delivery.endpoint_id, url=delivery.url)
    same.update(disabled_at=now, disabled_reason=GONE)
