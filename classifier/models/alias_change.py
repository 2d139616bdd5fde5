from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models.model_version import Alias, ModelVersion


class Kind(models.TextChoices):
    """How an alias changed hands."""

    ACTIVATED = "activated", _("Activated")  # without the gate
    PROMOTED = "promoted", _("Promoted")  # through the gate, or past it for a reason
    ROLLED_BACK = "rolled_back", _("Rolled back")
    CHALLENGED = "challenged", _("Made the challenger")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class AliasChange(models.Model):
    """An alias was given to a version, or taken away: who did it, when, why, and from what.

    It tells in words what its keys point at, so that it goes on telling when that is deleted.
    """

    name = models.SlugField(_("name"), max_length=64)
    alias = models.CharField(_("alias"), max_length=16, choices=Alias)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    model_version = models.ForeignKey(
        ModelVersion,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("model version"),
        help_text=_("who holds it from then on; none: nobody"),
    )
    holder = models.CharField(_("holder"), max_length=80, blank=True)
    holder_before = models.CharField(_("before"), max_length=80, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("user"),
    )
    by_name = models.CharField(
        _("by"), max_length=150, blank=True, help_text=_("none: the command line")
    )
    reason = models.TextField(_("reason"), blank=True)
    gate = models.JSONField(
        _("gate"), default=list, help_text=_("its lines as they were found, at a promotion")
    )
    at = models.DateTimeField(_("at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("change of an alias")
        verbose_name_plural = _("changes of aliases")
        ordering = ["-id"]
        indexes = [models.Index(fields=["name", "alias", "-id"], name="alias_change_history")]

    def __str__(self) -> str:
        return f"{self.name}@{self.alias}: {self.holder or '-'}"
