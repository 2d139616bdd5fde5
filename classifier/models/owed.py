import uuid
from datetime import datetime, timedelta
from typing import Self, TypeVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

FREE = {"lease": None, "lease_expires_at": None}  # what nobody holds

Row = TypeVar("Row", bound="Owed", covariant=True)


class Status(models.TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    CANCELED = "canceled", _("Canceled")


class Owed(models.Model):
    """Work that is owed is a row: whoever does it holds a lease, and every attempt is counted.

    A lease that has run out says that its holder died; a sweep then takes the row back. A result is
    written by a conditional update on the lease, so that it lands once.
    """

    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    lease = models.UUIDField(_("lease"), null=True, editable=False)
    lease_expires_at = models.DateTimeField(_("lease expires at"), null=True, editable=False)

    class Meta:
        abstract = True


class OwedQuerySet(models.QuerySet[Row]):
    """What is owed, of a kind with a `Status`."""

    def waiting(self) -> Self:
        return self.filter(status=Status.QUEUED)

    def leased(self, *leases: uuid.UUID) -> Self:
        """Those that are still held under one of these leases."""
        return self.filter(lease__in=leases, status=Status.RUNNING)

    def lapsed(self) -> Self:
        """Running, but whoever claimed them has let the lease run out."""
        return self.filter(status=Status.RUNNING, lease_expires_at__lt=timezone.now())

    def untouched(self) -> Self:
        """Those that nobody else is at just now: whoever takes only these waits for nobody, and so
        is part of no deadlock. Needs a transaction.
        """
        rows = self.select_for_update(skip_locked=True, of=("self",))
        return type(self)(self.model).filter(pk__in=rows.values("pk"))


def lease_expiry() -> datetime:
    """When a lease ends that begins, or is renewed, now."""
    return timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
