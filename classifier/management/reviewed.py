"""The pictures that staff have reviewed, as a data set: real traffic, with what it really shows."""

from pathlib import Path

from classifier.ml.datasets import InvalidDataset, LabelledFiles
from classifier.models import ModelVersion, Review

REVIEWED = "reviewed"  # what the data set is called
FEWEST = 10


def store_reviewed(version: ModelVersion, folder: Path) -> LabelledFiles:
    """Copy the reviewed pictures whose true label the version knows into a folder.

    A picture that several predictions show counts once, with what was said of it last.

    Raises:
        InvalidDataset: if there are too few to say anything.
    """
    known = {label: index for index, label in enumerate(version.labels)}
    reviews = Review.objects.filter(label__in=known).order_by("reviewed_at")
    latest = {
        review.prediction.image_id: review for review in reviews.select_related("prediction__image")
    }
    if len(latest) < FEWEST:
        raise InvalidDataset(
            f"{len(latest)} pictures are reviewed with labels of {version}; at least {FEWEST} are "
            "needed: confirm or correct some in the admin"
        )
    files = []
    for key, review in latest.items():
        target = folder / key.hex
        with review.prediction.image.file.open() as file:
            target.write_bytes(file.read())
        files.append((target, known[review.label]))
    return LabelledFiles(tuple(version.labels), tuple(files))
