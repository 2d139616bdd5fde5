"""Re-encoded copies of images, made when they are first looked at."""

import tempfile
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import models

from classifier.images import render
from classifier.models import Image


class Rendition(models.TextChoices):
    """The copies that pages show, upright and without metadata."""

    THUMBNAIL = "thumbnail"
    PICTURE = "picture"


LONGEST_SIDE = {Rendition.THUMBNAIL: 400, Rendition.PICTURE: 1600}


def rendition(image: Image, kind: Rendition) -> bytes:
    """The WebP copy of an image, from storage or made now and kept there.

    Raises:
        FileNotFoundError: if the image was deleted meanwhile.
    """
    name = image.rendition_name(kind)
    if default_storage.exists(name):
        with default_storage.open(name) as file:
            kept: bytes = file.read()
            return kept
    with image.file.open() as file:
        made = render(file.read(), LONGEST_SIDE[kind])
    _keep(name, made)
    if not Image.objects.filter(id=image.id).exists():
        default_storage.delete(name)  # the deletion may have come too early to see it
        raise FileNotFoundError(name)
    return made


class _Spooled(File):  # type: ignore[type-arg]
    """A file on disk, which a storage on the same disk moves into place: there whole or not."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def _keep(name: str, content: bytes) -> None:
    """Store under this very name, or leave what a twin request has just stored there."""
    with tempfile.TemporaryDirectory(dir=settings.MEDIA_ROOT) as folder:
        spool = Path(folder, "rendition")
        spool.write_bytes(content)
        with spool.open("rb") as file:
            stored = default_storage.save(name, _Spooled(file))
    if stored != name:
        default_storage.delete(stored)
