"""Do what is asked once, however often a caller sends the request for it."""

from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, models, transaction
from django.utils import timezone

from classifier.models import Batch, IdempotencyKey, Prediction, User

KEPT = timedelta(hours=24)
DIED = timedelta(minutes=2)  # a request that has made nothing by then never will

Made = Prediction | Batch


class InFlight(Exception):
    """A request with this key is being worked on."""


class OtherRequest(Exception):
    """The key was given to another request before."""


def once(owner: User, key: str, fingerprint: str, make: Callable[[], Made]) -> tuple[Made, bool]:
    """Make a prediction or a batch, or find what the first request with this key made.

    What is made and the note of it are one transaction: a caller that hears nothing may ask again
    without fear. Returns what was made, and whether it was there already. If `make` raises, the key
    is free again.

    Raises:
        InFlight: if another request with the key has not made it yet.
        OtherRequest: if the key came with another fingerprint before.
    """
    mine, created = _reserve(owner, key, fingerprint)
    if not created:
        return _made_by(mine, fingerprint), True
    try:
        with transaction.atomic():
            # From here on nobody takes over; who has done so before is found below.
            IdempotencyKey.objects.select_for_update().filter(pk=mine.pk).first()
            made = make()
            field = "prediction" if isinstance(made, Prediction) else "batch"
            if not IdempotencyKey.objects.filter(pk=mine.pk).update(**{field: made}):
                raise InFlight
    except BaseException:
        IdempotencyKey.objects.filter(pk=mine.pk, prediction=None, batch=None).delete()
        raise
    return made, False


def made_before(owner: User, key: str, fingerprint: str) -> Made | None:
    """What an earlier request with this key made, if there was one: then nothing else matters.

    Raises:
        InFlight, OtherRequest: as `once`.
    """
    now = timezone.now()
    keys = IdempotencyKey.objects.filter(owner=owner, key=key, created_at__gte=now - KEPT)
    living = models.Q(created_at__gte=now - DIED) | ~models.Q(prediction=None, batch=None)
    found = keys.filter(living).select_related("prediction", "batch").first()
    return _made_by(found, fingerprint) if found else None


def _made_by(earlier: IdempotencyKey, fingerprint: str) -> Made:
    if earlier.fingerprint != fingerprint:
        raise OtherRequest
    if made := earlier.prediction or earlier.batch:
        return made
    raise InFlight


def forget_old() -> int:
    """Delete the keys whose day is over. Returns how many."""
    old = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT)
    return old._raw_delete(old.db)  # nothing hangs on them


def _reserve(owner: User, key: str, fingerprint: str) -> tuple[IdempotencyKey, bool]:
    """The row of the key, and whether it is this request's: new, or left by one that died."""
    now = timezone.now()
    with transaction.atomic():
        keys = IdempotencyKey.objects.filter(owner=owner, key=key)
        keys.filter(created_at__lt=now - KEPT).delete()
        keys.filter(created_at__lt=now - DIED, prediction=None, batch=None).delete()
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(
                owner=owner, key=key, fingerprint=fingerprint, created_at=now
            ), True
    except IntegrityError:
        found = keys.select_related("prediction", "batch").first()
        if found is None:  # it was there a moment ago: its request has just failed
            raise InFlight from None
        return found, False
