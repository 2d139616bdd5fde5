from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.models.model_version import ModelVersion


class Variant(models.Model):
    """One way to compute a model version: an engine, a precision and what else was done to it.

    The receipt is what `optimize` measured, where, and how near the answers are to those of the
    reference. Only a variant whose receipt `passed` the gate may serve; `serve_by` sees to it.
    """

    model_version = models.ForeignKey(
        ModelVersion,
        on_delete=models.CASCADE,
        related_name="variants",
        verbose_name=_("model version"),
    )
    engine = models.CharField(_("engine"), max_length=32)
    precision = models.CharField(_("precision"), max_length=8, help_text=_("as fp32 or int8"))
    recipe = models.CharField(
        _("recipe"), max_length=24, blank=True, help_text=_("what else was done, as pruned-0.3")
    )
    file = models.FileField(
        _("file"),
        upload_to="models/",
        max_length=120,
        blank=True,
        help_text=_("what the engine loads, where that is not the version's weights"),
    )
    sha256 = models.CharField(_("SHA-256 of the file"), max_length=64, blank=True)
    receipt = models.JSONField(_("receipt"), default=dict)
    passed = models.BooleanField(_("passed the gate"), default=False)
    created_at = models.DateTimeField(_("measured at"), auto_now_add=True)

    class Meta:
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        ordering = ["model_version", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["model_version", "engine", "precision", "recipe"], name="variant_once"
            ),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.engine, self.precision, self.recipe)))

    @property
    def is_serving(self) -> bool:
        """Whether its model version is computed this way."""
        return self.model_version.variant_id == self.pk

    @property
    def measured(self) -> dict[str, Any]:
        """What a page shows of the receipt."""
        found: dict[str, Any] = self.receipt.get("measured", {})
        return found
