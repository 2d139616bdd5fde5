"""Delete for good: rows, files and every rendition."""

from collections.abc import Iterable

from django.core.files.storage import default_storage
from django.db import models, transaction

from classifier import waiting
from classifier.actions.evaluations import delete_evaluation
from classifier.actions.render import Rendition
from classifier.models import Batch, Image, ModelVersion, Prediction, User, Variant


def delete_prediction(prediction: Prediction) -> None:
    """Delete a prediction, and its image too unless another prediction is of the same image.

    The image is locked first, so that an upload of the same bytes either sees it whole or not at
    all. Files go once the rows are gone: a crash between the two leaves a stray file, never a row
    without its picture. Nothing happens where somebody else was quicker.
    """
    key = prediction.id
    with transaction.atomic():
        for image in Image.objects.select_for_update().filter(id=prediction.image_id):
            prediction.delete()
            transaction.on_commit(lambda: waiting.tell([key]), robust=True)
            if not image.predictions.exists():
                _delete_with_files(image)


def delete_batch(batch: Batch) -> None:
    """Delete a batch with its predictions, and the images that no other prediction is of."""
    keys = list(batch.predictions.values_list("id", flat=True))
    with transaction.atomic():
        images = Image.objects.filter(id__in=batch.predictions.values("image"))
        locked = list(_locked(images))
        batch.delete()
        for image in Image.objects.filter(id__in=[one.id for one in locked], predictions=None):
            _delete_with_files(image)
        transaction.on_commit(lambda: waiting.tell(keys), robust=True)


def delete_image(image: Image) -> None:
    """Delete an image, if it is still there, with all its predictions and renditions."""
    with transaction.atomic():
        for found in Image.objects.select_for_update().filter(id=image.id):
            _delete_with_files(found)


def delete_user(user: User) -> None:
    """Delete a person with all that is theirs: images, predictions, files."""
    with transaction.atomic():
        for image in _locked(user.images.all()):
            _delete_with_files(image)
        user.delete()


def delete_model_version(version: ModelVersion) -> None:
    """Delete a model version, its variants and its evaluations, with their files unless another
    uses the same.

    Raises:
        ProtectedError: if there are predictions by it.
    """
    with transaction.atomic():
        names = {str(version.weights.name), *version.variants.values_list("file", flat=True)}
        for evaluation in version.evaluations.light():
            delete_evaluation(evaluation)
        version.delete()
        delete_unused_model_files(names)


def delete_unused_model_files(names: Iterable[str]) -> None:
    """Delete those that no version and no variant names any more, once the transaction commits."""
    unused = set(names) - {""}
    for model, field in ((ModelVersion, "weights"), (Variant, "file")):
        used = model._default_manager.filter(**{f"{field}__in": unused})
        unused -= set(used.values_list(field, flat=True))
    transaction.on_commit(lambda: _delete_files(unused), robust=True)


def _locked(images: models.QuerySet[Image]) -> models.QuerySet[Image]:
    """In the order in which submit takes them, so that the two never block each other for good."""
    return images.order_by("sha256").select_for_update()


def _delete_with_files(image: Image) -> None:
    """Needs the image's lock, in a transaction: the files go when it commits."""
    names = [str(image.file.name), *(image.rendition_name(kind) for kind in Rendition)]
    image.delete()
    transaction.on_commit(lambda: _delete_files(names), robust=True)


def _delete_files(names: Iterable[str]) -> None:
    for name in names:
        default_storage.delete(name)
