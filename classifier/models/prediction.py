import struct
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models.batch import Batch
from classifier.models.ids import uuid7
from classifier.models.image import Image
from classifier.models.model_version import ModelVersion
from classifier.models.owed import Owed, OwedQuerySet, Status

SHOWN_LABELS = 5  # of an output, where nobody asks for another number


class Source(models.TextChoices):
    WEB = "web", _("Web page")
    COMMAND = "command", _("Command line")
    API = "api", _("REST API")
    OIP = "oip", _("Open Inference Protocol")
    PREDICT = "predict", "/predict"


class Doubt(models.TextChoices):
    """Why a prediction abstains: its best label is a guess, and should be read as one."""

    AMBIGUOUS = "ambiguous", _("Could be several things")
    UNFAMILIAR = "unfamiliar", _("Unlike what it was trained on")


class Priority(models.IntegerChoices):
    LOW = -1, _("Low")
    NORMAL = 0, _("Normal")
    HIGH = 1, _("High")


PENDING = frozenset({Status.QUEUED, Status.RUNNING})


class PredictionQuerySet(OwedQuerySet["Prediction"]):
    def pending(self) -> "PredictionQuerySet":
        return self.filter(status__in=PENDING)

    def succeeded(self) -> "PredictionQuerySet":
        return self.filter(status=Status.SUCCEEDED)

    def in_turn(self) -> "PredictionQuerySet":
        """The waiting ones as they will be claimed: by priority, then the oldest first."""
        return self.waiting().order_by("-priority", "id")

    def unexpired(self, now: object) -> "PredictionQuerySet":
        return self.filter(models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=now))

    def expired(self) -> "PredictionQuerySet":
        """Waiting still, though nobody wants the answer any more."""
        return self.waiting().filter(expires_at__lte=timezone.now())

    def with_details(self) -> "PredictionQuerySet":
        """Everything that a page shows of a prediction, in one query."""
        return self.select_related("image", "model_version", "review")

    def with_facts(self) -> "PredictionQuerySet":
        """Everything that the API tells of a prediction, in one query, without what is bulky."""
        bulky = [f"model_version__{name}" for name in ModelVersion.DOCUMENTS]
        return self.select_related("image", "model_version").defer("probabilities", *bulky)


class Prediction(Owed):
    """One image through one model version, from the upload to its answer.

    The table is the queue. `submit` inserts a row, `claim` leases it to a worker, `settle` writes
    the answer if the lease still holds; `sweep` takes back what a dead worker left::

        queued ──claim──▶ running ──settle──▶ succeeded | failed
          │  ◀───sweep─────┘ └──sweep, after MAX_ATTEMPTS──▶ failed
          ├──cancel──▶ canceled
          └──sweep, after expires_at──▶ failed
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="predictions",
        verbose_name=_("owner"),
    )
    image = models.ForeignKey(
        Image, on_delete=models.CASCADE, related_name="predictions", verbose_name=_("image")
    )
    model_version = models.ForeignKey(
        ModelVersion,
        on_delete=models.PROTECT,
        related_name="predictions",
        verbose_name=_("model version"),
    )
    source = models.CharField(_("source"), max_length=16, choices=Source, default=Source.WEB)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.QUEUED)

    batch = models.ForeignKey(
        Batch,
        on_delete=models.CASCADE,
        null=True,
        editable=False,
        related_name="predictions",
        verbose_name=_("batch"),
    )
    batch_index = models.PositiveIntegerField(
        _("place in the batch"), null=True, editable=False, help_text=_("from 0")
    )

    priority = models.SmallIntegerField(_("priority"), choices=Priority, default=Priority.NORMAL)
    expires_at = models.DateTimeField(
        _("expires at"), null=True, help_text=_("not begun by then, it fails")
    )
    top_k = models.PositiveIntegerField(
        _("labels asked for"), null=True, help_text=_("how many of the best labels")
    )
    threshold = models.FloatField(
        _("lowest score"), null=True, help_text=_("labels below it are not shown")
    )
    keeps_probabilities = models.BooleanField(_("keeps all probabilities"), default=False)
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    webhook_url = models.URLField(_("webhook"), max_length=2000, blank=True)
    webhook_events = models.JSONField(_("webhook events"), default=list, blank=True)

    output = models.JSONField(
        _("output"), null=True, help_text=_("the labels and their scores, best first")
    )
    probabilities = models.BinaryField(
        _("probabilities"),
        null=True,
        help_text=_("of all classes in the network's order, little-endian float32"),
    )
    top_label = models.CharField(_("top label"), max_length=255, blank=True)
    top_score = models.FloatField(_("top score"), null=True)
    label_set = models.JSONField(
        _("label set"),
        null=True,
        help_text=_("holds the truth as often as the calibration promises; best first"),
    )
    doubt = models.CharField(
        _("doubt"), max_length=16, choices=Doubt, blank=True, default="", db_default=""
    )
    error_code = models.CharField(_("error code"), max_length=32, blank=True)
    error_detail = models.TextField(_("error detail"), blank=True)

    variant = models.CharField(
        _("variant"),
        max_length=66,
        blank=True,
        default="",
        db_default="",
        help_text=_("what computed it, as torch fp32"),
    )
    cached = models.BooleanField(
        _("cached"),
        default=False,
        db_default=False,
        help_text=_("an earlier answer to the same image"),
    )
    batch_size = models.PositiveSmallIntegerField(_("batch size"), null=True)
    inference_seconds = models.FloatField(
        _("inference time"), null=True, help_text=_("seconds in the network, for the whole batch")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    completed_at = models.DateTimeField(_("completed at"), null=True, editable=False)

    objects = PredictionQuerySet.as_manager()

    class Meta:
        verbose_name = _("prediction")
        verbose_name_plural = _("predictions")
        ordering = ["-id"]
        indexes = [
            # claim reads the waiting rows in turn, whatever the table's size. The status comes
            # first, or SQLite prefers the index over all statuses, and sorts.
            models.Index(
                fields=["status", "-priority", "id"],
                condition=models.Q(status="queued"),
                name="prediction_waiting",
            ),
            # What is claimed along with the first is of its version, however many of others wait.
            models.Index(
                fields=["status", "model_version", "-priority", "id"],
                condition=models.Q(status="queued"),
                name="prediction_of_version",
            ),
            # sweep fails those that nobody wants any more.
            models.Index(
                fields=["status", "expires_at"],
                condition=models.Q(status="queued", expires_at__isnull=False),
                name="prediction_expiring",
            ),
            # sweep reads the leases that have run out.
            models.Index(
                fields=["lease_expires_at"],
                condition=models.Q(status="running"),
                name="prediction_leased",
            ),
            # The history page reads one owner's rows, newest first.
            models.Index(fields=["owner", "-id"], name="prediction_history"),
            # The admin filters by these and goes by date.
            models.Index(fields=["status", "-id"], name="prediction_status"),
            models.Index(fields=["top_label", "-id"], name="prediction_top_label"),
            models.Index(fields=["-created_at"], name="prediction_created"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=[str(status) for status in Status]),
                name="prediction_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status="running", lease__isnull=False)
                | ~models.Q(status="running") & models.Q(lease__isnull=True),
                name="prediction_leased_while_running",
            ),
            models.CheckConstraint(
                condition=models.Q(status="succeeded", output__isnull=False)
                | ~models.Q(status="succeeded") & models.Q(output__isnull=True),
                name="prediction_output_if_succeeded",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="failed") | ~models.Q(error_code=""),
                name="prediction_failed_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.get_status_display()})"

    @property
    def is_pending(self) -> bool:
        return self.status in PENDING

    @property
    def abstained(self) -> bool:
        """Whether the best label is no more than a guess."""
        return bool(self.doubt)

    @property
    def answer(self) -> list[dict[str, Any]] | None:
        """The output as it was asked for: so many labels, none below the threshold."""
        if self.output is None:
            return None
        best = self.output[: self.top_k or SHOWN_LABELS]
        return [item for item in best if item["score"] >= (self.threshold or 0)]

    @property
    def class_scores(self) -> list[float] | None:
        """The probabilities of all classes, in the order of the model's labels, if kept."""
        if self.probabilities is None:
            return None
        packed = bytes(self.probabilities)
        return list(struct.unpack(f"<{len(packed) // 4}f", packed))

    @property
    def waiting_seconds(self) -> float | None:
        """From the upload until the worker took the row that gave the answer."""
        if self.started_at is None:
            return None
        return (self.started_at - self.created_at).total_seconds()

    @property
    def total_seconds(self) -> float | None:
        """From the upload until the answer was written."""
        if self.completed_at is None:
            return None
        return (self.completed_at - self.created_at).total_seconds()
