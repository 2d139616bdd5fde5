from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models.ids import uuid7
from classifier.models.model_version import ModelVersion
from classifier.models.owed import Owed, OwedQuerySet, Status


class EvaluationQuerySet(OwedQuerySet["Evaluation"]):
    def finished(self) -> "EvaluationQuerySet":
        return self.filter(status=Status.SUCCEEDED)

    def light(self) -> "EvaluationQuerySet":
        """Without the answers to the single images, which are many."""
        return self.defer("answers")


class Evaluation(Owed):
    """How good a model version is on labelled images: asked for, worked on, and then a report.

    The answers to the single images are kept too, each under the digest of its file: two versions
    can be compared on the same images at any time after.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    model_version = models.ForeignKey(
        ModelVersion,
        on_delete=models.CASCADE,
        related_name="evaluations",
        verbose_name=_("model version"),
    )
    dataset = models.CharField(_("data set"), max_length=255)
    location = models.CharField(
        _("location"), max_length=1024, help_text=_("the folder or CSV file on the server")
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.QUEUED)
    done = models.PositiveIntegerField(_("images done"), default=0)
    total = models.PositiveIntegerField(_("images"), default=0)

    variant = models.CharField(_("variant"), max_length=66, blank=True)
    fingerprint = models.CharField(
        _("fingerprint"), max_length=64, blank=True, help_text=_("of the data set's content")
    )
    report = models.JSONField(_("report"), null=True)
    answers = models.JSONField(
        _("answers"),
        default=list,
        help_text=_("of each image: digest, right label, best label, its score"),
    )
    error_detail = models.TextField(_("error detail"), blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    completed_at = models.DateTimeField(_("completed at"), null=True, editable=False)

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")
        ordering = ["-id"]
        indexes = [models.Index(fields=["status", "id"], name="evaluation_status")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status="running", lease__isnull=False)
                | ~models.Q(status="running") & models.Q(lease__isnull=True),
                name="evaluation_leased_while_running",
            ),
            models.CheckConstraint(
                condition=models.Q(status="succeeded", report__isnull=False)
                | ~models.Q(status="succeeded") & models.Q(report__isnull=True),
                name="evaluation_report_if_succeeded",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_version} on {self.dataset}"

    @property
    def is_pending(self) -> bool:
        return self.status in {Status.QUEUED, Status.RUNNING}

    @property
    def figures(self) -> dict[str, Any]:
        """The report, or nothing where there is none yet."""
        return self.report or {}
