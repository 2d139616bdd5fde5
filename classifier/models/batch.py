from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.models.ids import uuid7


class Batch(models.Model):
    """The images of one request: a prediction for each that was accepted, a reason for the rest."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="batches",
        verbose_name=_("owner"),
    )
    size = models.PositiveIntegerField(_("images sent"))
    names = models.JSONField(
        _("names"), default=list, help_text=_("of the files, as they were sent, in their order")
    )
    refused = models.JSONField(
        _("refused"), default=list, help_text=_("index, name, code and detail of each refused one")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.id)
