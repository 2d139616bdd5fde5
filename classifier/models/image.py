import secrets

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.models.ids import uuid7
from classifier.models.user import User


def random_name(image: "Image", original_name: str) -> str:
    """A storage path that tells nothing of the owner or the file's name: `images/ab/abcd….jpg`."""
    name = secrets.token_hex(16)
    return f"images/{name[:2]}/{name}.{image.format.lower()}"


class ImageQuerySet(models.QuerySet["Image"]):
    def visible_to(self, user: User) -> "ImageQuerySet":
        """A user's own images; every image for staff."""
        return self if user.is_staff else self.filter(owner=user)


class Image(models.Model):
    """An uploaded file as it came, and what was verified about it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="images",
        verbose_name=_("owner"),
    )
    file = models.FileField(_("file"), upload_to=random_name, max_length=100)
    sha256 = models.CharField("SHA-256", max_length=64)
    format = models.CharField(_("format"), max_length=8, help_text=_("Pillow's name, as JPEG"))
    width = models.PositiveIntegerField(_("width"), help_text=_("pixels, as it is looked at"))
    height = models.PositiveIntegerField(_("height"), help_text=_("pixels, as it is looked at"))
    bytes = models.PositiveIntegerField(_("size in bytes"))
    original_name = models.CharField(_("original name"), max_length=255)
    created_at = models.DateTimeField(_("uploaded at"), auto_now_add=True)

    objects = ImageQuerySet.as_manager()

    class Meta:
        verbose_name = _("image")
        verbose_name_plural = _("images")
        ordering = ["-id"]
        indexes = [
            # The admin goes by date.
            models.Index(fields=["-created_at"], name="image_created"),
        ]
        constraints = [
            # The same bytes are kept once for each owner; submit reads this.
            models.UniqueConstraint(fields=["owner", "sha256"], name="image_once_per_owner"),
        ]

    def __str__(self) -> str:
        return self.original_name

    def rendition_name(self, kind: str) -> str:
        """The storage path of the re-encoded copy `kind`, beside nothing that names the owner."""
        stem = str(self.file.name).removeprefix("images/").rsplit(".", 1)[0]
        return f"renditions/{kind}/{stem}.webp"
