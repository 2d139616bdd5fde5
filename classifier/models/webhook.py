import json
import secrets
from base64 import b64encode
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models.ids import uuid7
from classifier.models.owed import Owed
from classifier.models.prediction import Prediction


class Event(models.TextChoices):
    """What one can ask to be told of."""

    START = "start", _("A worker begins")
    COMPLETED = "completed", _("The prediction has ended")


def new_secret() -> str:
    """A signing secret as Standard Webhooks writes it: `whsec_` and 24 random bytes in base64."""
    return "whsec_" + b64encode(secrets.token_bytes(24)).decode()


def as_body(payload: dict[str, Any]) -> bytes:
    """The payload as it is sent and signed."""
    return json.dumps(payload, separators=(",", ":")).encode()


def completed_only() -> list[str]:
    return [Event.COMPLETED.value]


class EndpointQuerySet(models.QuerySet["Endpoint"]):
    def enabled(self) -> "EndpointQuerySet":
        return self.filter(disabled_at__isnull=True)

    def managed(self) -> "EndpointQuerySet":
        """Those with an address, which their owners look after."""
        return self.exclude(url="")

    def with_due(self) -> "EndpointQuerySet":
        """Those that something is to be sent to now. A look into an index for each endpoint, so
        that a long backlog of one of them costs no more than a short one."""
        due = Delivery.objects.due().filter(endpoint=models.OuterRef("pk"))
        return self.enabled().filter(models.Exists(due))


class Endpoint(models.Model):
    """An address that is told of its owner's predictions, and the secret that signs the messages.

    Each owner has at most one without an address: it signs what goes to the addresses that come
    with single requests.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="endpoints",
        verbose_name=_("owner"),
    )
    url = models.URLField(_("address"), max_length=2000, blank=True)
    description = models.CharField(_("description"), max_length=200, blank=True)
    events = models.JSONField(_("events"), default=completed_only)
    secret = models.CharField(_("secret"), max_length=64, default=new_secret, editable=False)
    previous_secret = models.CharField(max_length=64, blank=True, editable=False)
    previous_secret_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    disabled_at = models.DateTimeField(_("disabled at"), null=True, blank=True, editable=False)
    disabled_reason = models.CharField(_("disabled because"), max_length=200, blank=True)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner"], condition=models.Q(url=""), name="endpoint_of_requests_once"
            ),
        ]

    def __str__(self) -> str:
        return self.url or str(_("addresses given with requests"))

    @property
    def is_enabled(self) -> bool:
        return self.disabled_at is None

    @property
    def valid_secrets(self) -> list[str]:
        """Those that sign now: the secret, and for a day the one that it replaced."""
        until = self.previous_secret_until
        if until is None or until <= timezone.now():
            return [self.secret]
        return [self.secret, self.previous_secret]


class DeliveryStatus(models.TextChoices):
    PENDING = "pending", _("Pending")
    SUCCEEDED = "succeeded", _("Delivered")
    FAILED = "failed", _("Failed")


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self) -> "DeliveryQuerySet":
        """Pending, their time has come, and nobody is at it; a lease that ran out holds nobody."""
        now = timezone.now()
        free = models.Q(lease__isnull=True) | models.Q(lease_expires_at__lt=now)
        return self.filter(free, status=DeliveryStatus.PENDING, due_at__lte=now)


class Delivery(Owed):
    """One message to one address, tried until it is taken or has been tried for days::

    pending ──2xx──▶ succeeded
      │  ◀─retry─┐ └──no attempt left, or 410──▶ failed
      └──────────┘       (redelivery makes it pending again)
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("endpoint")
    )
    prediction = models.ForeignKey(
        Prediction,
        on_delete=models.CASCADE,  # what is deleted leaves no message about itself
        null=True,
        related_name="deliveries",
        verbose_name=_("prediction"),
    )
    url = models.URLField(_("address"), max_length=2000)
    type = models.CharField(_("type"), max_length=64)
    payload = models.JSONField(_("payload"))
    status = models.CharField(
        _("status"), max_length=16, choices=DeliveryStatus, default=DeliveryStatus.PENDING
    )
    due_at = models.DateTimeField(_("due at"), default=timezone.now)
    response_code = models.PositiveSmallIntegerField(_("response code"), null=True)
    error = models.CharField(_("error"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    attempted_at = models.DateTimeField(_("last attempt at"), null=True)
    completed_at = models.DateTimeField(_("completed at"), null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-id"]
        indexes = [
            # deliver asks what is due next, and claims what is due of one endpoint.
            models.Index(
                fields=["due_at"], condition=models.Q(status="pending"), name="delivery_due"
            ),
            models.Index(
                fields=["endpoint", "due_at"],
                condition=models.Q(status="pending"),
                name="delivery_endpoint_due",
            ),
            # sweep takes back what a dead process was sending.
            models.Index(
                fields=["lease_expires_at"],
                condition=models.Q(lease__isnull=False),
                name="delivery_leased",
            ),
            # An endpoint's page reads its deliveries, newest first.
            models.Index(fields=["endpoint", "-id"], name="delivery_history"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=[str(status) for status in DeliveryStatus]),
                name="delivery_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} → {self.url}"

    @property
    def is_awaited(self) -> bool:
        """Whether an attempt is to be expected at any moment."""
        return self.status == DeliveryStatus.PENDING and self.due_at <= timezone.now()

    @property
    def body(self) -> bytes:
        return as_body(self.payload)

    @property
    def pretty_payload(self) -> str:
        """The payload as people read it."""
        return json.dumps(self.payload, indent=2, ensure_ascii=False)

    @property
    def message_id(self) -> str:
        """What tells the receiver that it has seen this one: the same at every attempt."""
        return f"msg_{self.id.hex}"
