"""Delete for good: rows, files and every rendition."""

from django.core.files.storage import default_storage
from django.db import transaction

from classifier.actions.render import Rendition
from classifier.models import Image, ModelVersion, Prediction, User


def delete_prediction(prediction: Prediction) -> None:
    """Delete a prediction, and its image too unless another prediction is of the same image.

    The image is locked first, so that an upload of the same bytes either sees it whole or not at
    all. Files go once the rows are gone: a crash between the two leaves a stray file, never a row
    without its picture. Nothing happens where somebody else was quicker.
    """
    with transaction.atomic():
        for image in Image.objects.select_for_update().filter(id=prediction.image_id):
            prediction.delete()
            if not image.predictions.exists():
                _delete_with_files(image)


def delete_image(image: Image) -> None:
    """Delete an image, if it is still there, with all its predictions and renditions."""
    with transaction.atomic():
        for found in Image.objects.select_for_update().filter(id=image.id):
            _delete_with_files(found)


def delete_user(user: User) -> None:
    """Delete a person with all that is theirs: images, predictions, files."""
    with transaction.atomic():
        for image in user.images.select_for_update():
            _delete_with_files(image)
        user.delete()


def delete_model_version(version: ModelVersion) -> None:
    """Delete a model version, and its weights unless another version uses the same file.

    Raises:
        ProtectedError: if there are predictions by it.
    """
    weights = str(version.weights.name)
    with transaction.atomic():
        version.delete()
        if not ModelVersion.objects.filter(weights=weights).exists():
            transaction.on_commit(lambda: _delete_files([weights]), robust=True)


def _delete_with_files(image: Image) -> None:
    """Needs the image's lock, in a transaction: the files go when it commits."""
    names = [str(image.file.name), *(image.rendition_name(kind) for kind in Rendition)]
    image.delete()
    transaction.on_commit(lambda: _delete_files(names), robust=True)


def _delete_files(names: list[str]) -> None:
    for name in names:
        default_storage.delete(name)
