from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.models.batch import Batch
from classifier.models.prediction import Prediction


class IdempotencyKey(models.Model):
    """What a caller named a request, so that sending it again finds what the first one made.

    Born before the work with neither prediction nor batch; the transaction that makes one of them
    writes it here. A row that stays without either is of a request that died.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("owner"),
    )
    key = models.CharField(_("key"), max_length=255)
    fingerprint = models.CharField(_("SHA-256 of the request"), max_length=64)
    prediction = models.ForeignKey(
        Prediction, on_delete=models.CASCADE, null=True, related_name="+"
    )
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        indexes = [
            # sweep deletes the old ones.
            models.Index(fields=["created_at"], name="idempotency_key_created"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["owner", "key"], name="idempotency_key_once"),
        ]

    def __str__(self) -> str:
        return self.key
