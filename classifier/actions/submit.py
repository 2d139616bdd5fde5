"""Take in images and owe each a prediction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from classifier.actions.webhooks import of_requests
from classifier.bells import CLASSIFY, ring_on_commit
from classifier.images import InvalidImage, VerifiedImage
from classifier.models import (
    Batch,
    Image,
    ModelVersion,
    Prediction,
    Priority,
    Source,
    User,
)
from classifier.models.image import random_name


@dataclass(frozen=True)
class Order:
    """What is asked for, beside the image: by whom, of which model, and how."""

    owner: User
    model_version: ModelVersion
    source: Source = Source.WEB
    priority: Priority = Priority.NORMAL
    expires_at: datetime | None = None
    top_k: int | None = None
    threshold: float | None = None
    keeps_probabilities: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    webhook_url: str = ""
    webhook_events: tuple[str, ...] = ()


@dataclass(frozen=True)
class Upload:
    """A file that somebody sent, and what became of it when it was verified."""

    name: str
    content: VerifiedImage | InvalidImage


def submit(order: Order, upload: VerifiedImage, original_name: str) -> Prediction:
    """Store the image, unless its owner has sent these very bytes before, and queue a prediction.

    Image and prediction are born in one transaction, whose commit rings the bell: whoever gets a
    prediction back can rely on it.
    """
    return submit_all(order, [(upload, original_name)])[0]


def submit_all(order: Order, uploads: Sequence[tuple[VerifiedImage, str]]) -> list[Prediction]:
    """Store the images, each with its original name, and queue a prediction for each: all or none.

    Predictions come in the order of the images.
    """
    with _all_or_nothing() as stored:
        images = _stored_images(order.owner, uploads, stored)
        return _queue(order, [_prediction(order, image) for image in images])


def submit_batch(order: Order, uploads: Sequence[Upload]) -> Batch:
    """Queue a prediction for each upload that is an image, and keep the reasons for the others.

    All or nothing: a batch that is there is there whole.
    """
    refused, accepted = [], {}
    for i, upload in enumerate(uploads):
        match upload.content:
            case InvalidImage() as error:
                reason = {"code": error.code, "detail": str(error)}
                refused.append({"index": i, "name": upload.name, **reason})
            case VerifiedImage() as verified:
                accepted[i] = (verified, upload.name)
    with _all_or_nothing() as stored:
        names = [upload.name for upload in uploads]
        batch = Batch.objects.create(
            owner=order.owner, size=len(uploads), names=names, refused=refused
        )
        images = _stored_images(order.owner, list(accepted.values()), stored)
        _queue(
            order,
            [
                _prediction(order, image, batch=batch, batch_index=i)
                for i, image in zip(accepted, images, strict=True)
            ],
        )
    return batch


def rerun(prediction: Prediction, order: Order) -> Prediction:
    """Queue another prediction of an image that is stored already.

    Raises:
        Image.DoesNotExist: if it was deleted meanwhile.
    """
    with transaction.atomic():
        image = Image.objects.select_for_update().get(id=prediction.image_id)
        return _queue(order, [_prediction(order, image)])[0]


def _queue(order: Order, predictions: list[Prediction]) -> list[Prediction]:
    """Needs the images' locks, in a transaction."""
    if order.webhook_url:  # its secret signs what goes there
        of_requests(order.owner)
    ring_on_commit(CLASSIFY)
    return Prediction.objects.bulk_create(predictions)


def _prediction(order: Order, image: Image, **batch: Any) -> Prediction:
    return Prediction(
        owner=order.owner,
        image=image,
        model_version=order.model_version,
        source=order.source,
        priority=order.priority,
        expires_at=order.expires_at,
        top_k=order.top_k,
        threshold=order.threshold,
        keeps_probabilities=order.keeps_probabilities,
        metadata=order.metadata,
        webhook_url=order.webhook_url,
        webhook_events=list(order.webhook_events),
        **batch,
    )


@contextmanager
def _all_or_nothing() -> Iterator[list[str]]:
    """A transaction. What is stored in it and named in the list goes if it comes to nothing."""
    with transaction.atomic():
        stored: list[str] = []
        try:
            yield stored
        except BaseException:  # not of the commit: nobody knows what one that failed has done
            for name in stored:
                default_storage.delete(name)
            raise


def _stored_images(
    owner: User, uploads: Sequence[tuple[VerifiedImage, str]], stored: list[str]
) -> list[Image]:
    """Find or store them, always in the same order: two who want the same never block each other.

    Needs a transaction; the names of new files are added to `stored`.
    """
    images: dict[str, Image] = {}
    for upload, name in sorted(uploads, key=lambda pair: pair[0].sha256):
        if upload.sha256 not in images:
            images[upload.sha256] = _stored_image(owner, upload, name, stored)
    return [images[upload.sha256] for upload, _ in uploads]


def _stored_image(
    owner: User, upload: VerifiedImage, original_name: str, stored: list[str]
) -> Image:
    """Find or store the image; the lock keeps a deletion from taking it away meanwhile."""
    for _ in range(2):  # the second round finds what a twin request has just stored
        known = Image.objects.select_for_update().filter(owner=owner, sha256=upload.sha256).first()
        if known:
            return known
        try:
            image = _store(owner, upload, original_name)
        except IntegrityError as error:
            twin = error
        else:
            stored.append(str(image.file.name))
            return image
    raise twin


def _store(owner: User, upload: VerifiedImage, original_name: str) -> Image:
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
