"""Re-encoded copies of images, made when they are first looked at."""

import io

from django.core.files.storage import default_storage
from django.db import models

from classifier.actions.storing import store_whole
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
    store_whole(name, io.BytesIO(made))
    if not Image.objects.filter(id=image.id).exists():
        default_storage.delete(name)  # the deletion may have come too early to see it
        raise FileNotFoundError(name)
    return made
