"""Look after the addresses that are told of predictions."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import models, transaction
from django.utils import timezone

from classifier.addresses import check_url
from classifier.bells import DELIVER, ring_on_commit
from classifier.models import Delivery, DeliveryStatus, Endpoint, Event, User
from classifier.models.webhook import new_secret

MOST_ENDPOINTS = 20  # of one person
OLD_SECRET_HOLDS = timedelta(hours=24)
TEST = "endpoint.test"


class TooMany(Exception):
    """The person has as many endpoints as one may have."""


class Paused(Exception):
    """Nothing is sent to an endpoint that is paused; resume it first."""


def add(
    owner: User, url: str, description: str = "", events: Iterable[Event] = (Event.COMPLETED,)
) -> Endpoint:
    """Tell an address of its owner's predictions from now on.

    Raises:
        RefusedAddress: if nothing is ever sent there.
        TooMany: if the owner has MOST_ENDPOINTS.
    """
    check_url(url)
    if owner.endpoints.managed().count() >= MOST_ENDPOINTS:
        raise TooMany
    return Endpoint.objects.create(
        owner=owner, url=url, description=description, events=_sorted(events)
    )


def change(
    endpoint: Endpoint,
    *,
    url: str | None = None,
    description: str | None = None,
    events: Iterable[Event] | None = None,
) -> Endpoint:
    """Change what is given. What is still to be sent goes to the new address.

    Raises:
        RefusedAddress: if nothing is ever sent there.
    """
    url = endpoint.url if url is None else url
    if url != endpoint.url:
        check_url(url)
    with transaction.atomic():
        if url != endpoint.url:
            endpoint.deliveries.filter(status=DeliveryStatus.PENDING).update(url=url)
        _write(
            endpoint,
            url=url,
            description=endpoint.description if description is None else description,
            events=endpoint.events if events is None else _sorted(events),
        )
    return endpoint


def pause(endpoint: Endpoint) -> None:
    """Send nothing there any more, and owe it nothing new. What is pending waits."""
    _write(endpoint, disabled_at=timezone.now(), disabled_reason="")


def resume(endpoint: Endpoint) -> None:
    """Send there again; what was pending goes out at once if its time has come."""
    _write(endpoint, disabled_at=None, disabled_reason="")
    ring_on_commit(DELIVER)


def rotate(endpoint: Endpoint) -> None:
    """Sign with a new secret; for a day the old one signs too, so that nobody has to hurry."""
    _write(
        endpoint,
        secret=new_secret(),
        previous_secret=endpoint.secret,
        previous_secret_until=timezone.now() + OLD_SECRET_HOLDS,
    )


def remove(endpoint: Endpoint) -> None:
    """Delete an endpoint with its deliveries, also those that are still to be sent.

    Locked first: who is about to owe it something has done so, or finds it gone.
    """
    with transaction.atomic():
        for found in Endpoint.objects.select_for_update().filter(id=endpoint.id):
            found.delete()


def of_requests(owner: User) -> Endpoint:
    """The endpoint whose secret signs what goes to the addresses given with single requests."""
    return Endpoint.objects.get_or_create(owner=owner, url="")[0]


def send_test(endpoint: Endpoint) -> Delivery:
    """Owe the endpoint a message that is about nothing.

    Raises:
        Paused: if it is paused.
    """
    if not endpoint.is_enabled:
        raise Paused
    payload = {
        "type": TEST,
        "timestamp": timezone.now().isoformat(),
        "data": {"endpoint": str(endpoint.id)},
    }
    delivery = Delivery.objects.create(
        endpoint=endpoint, url=endpoint.url, type=TEST, payload=payload
    )
    ring_on_commit(DELIVER)
    return delivery


def redeliver(delivery: Delivery) -> bool:
    """Send a message again now, with all its attempts before it, and under the id that it had.

    False if an attempt is being made at this moment.

    Raises:
        Paused: if its endpoint is paused.
    """
    endpoint = delivery.endpoint
    if not endpoint.is_enabled:
        raise Paused
    now = timezone.now()
    free = models.Q(lease__isnull=True) | models.Q(lease_expires_at__lt=now)
    owed = Delivery.objects.filter(free, id=delivery.id).update(
        status=DeliveryStatus.PENDING,
        url=endpoint.url or delivery.url,
        attempts=0,
        due_at=now,
        completed_at=None,
        lease=None,
        lease_expires_at=None,
    )
    ring_on_commit(DELIVER)
    return owed == 1


def _write(endpoint: Endpoint, **fields: object) -> None:
    """A statement that does nothing where the endpoint was deleted meanwhile."""
    for name, value in fields.items():
        setattr(endpoint, name, value)
    Endpoint.objects.filter(id=endpoint.id).update(**fields)


def _sorted(events: Iterable[Event]) -> list[str]:
    return sorted({Event(event).value for event in events})
