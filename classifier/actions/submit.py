"""Take in an image and owe it a prediction."""

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from classifier.bells import CLASSIFY, ring_on_commit
from classifier.images import VerifiedImage
from classifier.models import Image, ModelVersion, Prediction, Source, User
from classifier.models.image import random_name


def submit(
    owner: User,
    upload: VerifiedImage,
    original_name: str,
    model_version: ModelVersion,
    source: Source = Source.WEB,
) -> Prediction:
    """Store the image, unless its owner has sent these very bytes before, and queue a prediction.

    Image and prediction are born in one transaction, whose commit rings the bell: whoever gets a
    prediction back can rely on it.
    """
    for _ in range(2):  # the second round finds the image that a twin request has just stored
        try:
            with transaction.atomic():
                prediction = Prediction.objects.create(
                    owner=owner,
                    image=_stored_image(owner, upload, original_name),
                    model_version=model_version,
                    source=source,
                )
                ring_on_commit(CLASSIFY)
                return prediction
        except IntegrityError as error:
            twin = error
    raise twin


def _stored_image(owner: User, upload: VerifiedImage, original_name: str) -> Image:
    """Find or store the image; the lock keeps a deletion from taking it away meanwhile."""
    known = Image.objects.select_for_update().filter(owner=owner, sha256=upload.sha256).first()
    if known:
        return known
    image = Image(
        owner=owner,
        sha256=upload.sha256,
        format=upload.format,
        width=upload.width,
        height=upload.height,
        bytes=len(upload.content),
        original_name=original_name[-255:],
    )
    name = random_name(image, original_name)
    try:
        image.file.name = default_storage.save(name, ContentFile(upload.content))
        with transaction.atomic():
            image.save(force_insert=True)
    except BaseException:
        default_storage.delete(image.file.name or name)  # a full disk leaves half a file
        raise
    return image
