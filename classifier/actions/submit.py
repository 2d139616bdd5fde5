"""Take in images and owe each a prediction."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import models, transaction

from classifier.actions.announce import announce_ended
from classifier.actions.insert import insert, insert_unless_there
from classifier.actions.recall import recall
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
from classifier.queries.prepared import Prepared


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
    may_be_cached: bool = True  # an earlier answer to the same image will do
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
        predictions = [_prediction(order, image) for image in images]
        return _accept(order, predictions, _seen_before(order, predictions, stored))


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
        predictions = [
            _prediction(order, image, batch=batch, batch_index=i)
            for i, image in zip(accepted, images, strict=True)
        ]
        _accept(order, predictions, _seen_before(order, predictions, stored))
    return batch


def rerun(prediction: Prediction, order: Order) -> Prediction:
    """Queue another prediction of an image that is stored already, whatever was answered before.

    Raises:
        Image.DoesNotExist: if it was deleted meanwhile.
    """
    with transaction.atomic():
        image = Image.objects.select_for_update().get(id=prediction.image_id)
        return _accept(order, [_prediction(order, image)])[0]


def _accept(
    order: Order, predictions: list[Prediction], seen_before: Collection[Prediction] = ()
) -> list[Prediction]:
    """Queue them, or end those at once whose image, seen before, was answered before.

    Needs the images' locks, in a transaction.
    """
    if order.webhook_url:  # its secret signs what goes there
        of_requests(order.owner)
    recalled = recall(seen_before, order.model_version) if seen_before else []
    if len(recalled) < len(predictions):
        ring_on_commit(CLASSIFY)
    insert(predictions)
    announce_ended([row.id for row in recalled], [order.owner.id])
    return predictions


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


def _seen_before(
    order: Order, predictions: Iterable[Prediction], new_files: Collection[str]
) -> list[Prediction]:
    """Those whose image was there already, if an earlier answer will do."""
    if not order.may_be_cached:
        return []
    return [row for row in predictions if row.image.file.name not in new_files]


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


_stored_before = Prepared(
    lambda **one: Image.objects.select_for_update().filter(**one),
    owner=models.BigAutoField(),
    sha256=models.CharField(),
)


def _stored_image(
    owner: User, upload: VerifiedImage, original_name: str, stored: list[str]
) -> Image:
    """Find or store the image; the lock keeps a deletion from taking it away meanwhile."""
    while True:  # a second time, to find what a twin request has just stored
        if known := _stored_before(owner=owner.pk, sha256=upload.sha256):
            return known[0]
        if image := _store(owner, upload, original_name):
            stored.append(str(image.file.name))
            return image


def _store(owner: User, upload: VerifiedImage, original_name: str) -> Image | None:
    """None if a twin request has stored it first."""
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
        is_new = insert_unless_there(image)
    except BaseException:
        default_storage.delete(image.file.name or name)  # a full disk leaves half a file
        raise
    if not is_new:
        default_storage.delete(image.file.name)
    return image if is_new else None
