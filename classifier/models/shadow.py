from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models.model_version import ModelVersion
from classifier.models.owed import Owed, OwedQuerySet, Status
from classifier.models.prediction import Prediction


class ShadowQuerySet(OwedQuerySet["Shadow"]):
    def answered(self) -> "ShadowQuerySet":
        return self.filter(status=Status.SUCCEEDED)


class Shadow(Owed):
    """What a challenger makes of an image that the champion has answered, tried once.

    A table of its own, so that no page and no call of the API can show it by mistake: only the
    comparison of the two reads it.
    """

    prediction = models.ForeignKey(
        Prediction,
        on_delete=models.CASCADE,
        related_name="shadows",
        verbose_name=_("prediction"),
    )
    model_version = models.ForeignKey(
        ModelVersion,
        on_delete=models.CASCADE,
        related_name="shadows",
        verbose_name=_("model version"),
    )
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.QUEUED)
    top_label = models.CharField(_("top label"), max_length=255, blank=True)
    top_score = models.FloatField(_("top score"), null=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = ShadowQuerySet.as_manager()

    class Meta:
        verbose_name = _("shadow")
        verbose_name_plural = _("shadows")
        indexes = [
            models.Index(
                fields=["model_version", "id"],
                condition=models.Q(status="queued"),
                name="shadow_waiting",
            ),
            models.Index(
                fields=["lease_expires_at"],
                condition=models.Q(status="running"),
                name="shadow_leased",
            ),
            models.Index(fields=["model_version", "status"], name="shadow_status"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["prediction", "model_version"], name="shadow_once"),
        ]

    def __str__(self) -> str:
        return f"shadow {self.pk}"  # without its answer, which is for nobody to see
