from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.models.prediction import Prediction


class Verdict(models.TextChoices):
    CONFIRMED = "confirmed", _("Confirmed")
    CORRECTED = "corrected", _("Corrected")


class Review(models.Model):
    """A person's verdict on a prediction: what the picture really shows, who says so, and when."""

    prediction = models.OneToOneField(
        Prediction,
        on_delete=models.CASCADE,
        related_name="review",
        verbose_name=_("prediction"),
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="reviews",
        verbose_name=_("reviewer"),
    )
    verdict = models.CharField(_("verdict"), max_length=16, choices=Verdict)
    label = models.CharField(_("true label"), max_length=255)
    reviewed_at = models.DateTimeField(_("reviewed at"), auto_now=True)

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        constraints = [
            models.CheckConstraint(condition=~models.Q(label=""), name="review_has_label"),
            models.CheckConstraint(
                condition=models.Q(verdict__in=[str(verdict) for verdict in Verdict]),
                name="review_verdict_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()}: {self.label}"
