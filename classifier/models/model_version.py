import re

from django.db import models
from django.utils.translation import gettext_lazy as _

REFERENCE = re.compile(
    r"(?P<name>[-\w]{1,64})(@((?P<version>\d{1,9})|(?P<alias>champion|challenger))?)?", re.ASCII
)


class Alias(models.TextChoices):
    """What a version is to the others of its name. Each is held by one of them at most."""

    CHAMPION = "champion", _("Champion")  # the name alone means this one
    CHALLENGER = "challenger", _("Challenger")  # tried on real traffic, its answers kept back


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def named(self, reference: str) -> "ModelVersion":
        """Look up `name@version`, `name@champion`, `name@challenger`, or `name` for its champion.

        Raises:
            ModelVersion.DoesNotExist: if there is none.
        """
        asked = REFERENCE.fullmatch(reference)
        if asked is None:  # whatever it is, perhaps nothing that a database could look for
            raise self.model.DoesNotExist
        candidates = self.filter(name=asked["name"])
        if asked["version"]:
            candidates = candidates.filter(version=asked["version"])
        if asked["alias"]:
            candidates = candidates.filter(alias=asked["alias"])
        return candidates.by_precedence()[:1].get()

    def serving(self) -> "ModelVersion":
        """The version that classifies where none is asked for: the champion activated last.

        Raises:
            ModelVersion.DoesNotExist: if none was ever activated.
        """
        return self.filter(activated_at__isnull=False).by_precedence()[:1].get()

    def asked_for(self, reference: str) -> "ModelVersion":
        """What a caller means: nothing or `champion` for the version that serves, else a name.

        Raises:
            ModelVersion.DoesNotExist: if there is none.
        """
        if reference in {"", Alias.CHAMPION}:
            return self.serving()
        return self.named(reference)

    def by_precedence(self) -> "ModelVersionQuerySet":
        """Champions come first, of those the one activated last; then the other versions."""
        return self.order_by(
            models.Case(models.When(alias=Alias.CHAMPION, then=0), default=1),
            models.F("activated_at").desc(nulls_last=True),
            "-version",
        )

    def of_alias(self, name: str, alias: Alias) -> "ModelVersion | None":
        """The version of this name that holds the alias, if one does."""
        return self.filter(name=name, alias=alias).first()

    def reading_ink(self) -> "ModelVersionQuerySet":
        """Those that are for handwriting, whatever it is written on: `ModelSpec.framing`."""
        return self.filter(spec__framing="ink")

    def without_documents(self) -> "ModelVersionQuerySet":
        """No more than is needed to name them: a spec may hold a thousand labels."""
        return self.defer(*ModelVersion.DOCUMENTS)


class ModelVersion(models.Model):
    """One classifier that can be served: a network's weights and all that is needed to use them.

    Deployment is two columns. The `alias` says which version a name alone means, and which one is
    tried beside it; of the champions, the one with the latest `activated_at` serves by default.
    `actions/promote.py` writes both, and the history of `AliasChange`.
    """

    DOCUMENTS = ("spec", "metrics", "training", "calibration")  # of some length each

    name = models.SlugField(_("name"), max_length=64)
    version = models.PositiveIntegerField(_("version"))
    architecture = models.CharField(_("architecture"), max_length=64)
    weights = models.FileField(_("weights"), upload_to="models/", max_length=120)
    sha256 = models.CharField(_("SHA-256 of the weights"), max_length=64)
    spec = models.JSONField(_("spec"), help_text=_("a ModelSpec: preprocessing facts and labels"))
    engine = models.CharField(_("engine"), max_length=32, default="torch")
    variant = models.ForeignKey(
        "Variant",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("serves by"),
        help_text=_("the way it is computed; none: by its engine in fp32, the reference"),
    )
    metrics = models.JSONField(_("metrics"), default=dict, blank=True)
    training = models.JSONField(
        _("training"), default=dict, blank=True, help_text=_("from what it was trained, and how")
    )
    calibration = models.JSONField(
        _("calibration"),
        default=dict,
        blank=True,
        help_text=_(
            "how scores become honest, and when it does not know; none: scores as they are"
        ),
    )
    source = models.CharField(_("source"), max_length=255, blank=True)
    licence = models.CharField(_("licence"), max_length=255, blank=True)
    alias = models.CharField(
        _("alias"), max_length=16, choices=Alias, blank=True, default="", editable=False
    )
    created_at = models.DateTimeField(_("installed at"), auto_now_add=True)
    activated_at = models.DateTimeField(_("activated at"), null=True, blank=True, editable=False)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="model_version_once"),
            models.UniqueConstraint(
                fields=["name", "alias"],
                condition=~models.Q(alias=""),
                name="model_version_alias_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def computed_by(self) -> str:
        """The variant that serves, as predictions name it."""
        return str(self.variant) if self.variant else f"{self.engine} fp32"

    @property
    def labels(self) -> list[str]:
        """The labels in the order of the network's outputs."""
        labels: list[str] = self.spec["labels"]
        return labels
