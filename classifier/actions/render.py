"""Re-encoded copies of images, made when they are first looked at."""

from django.core.files.base import ContentFile
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
    default_storage.save(name, ContentFile(made))
    return made
