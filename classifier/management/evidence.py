"""The images by which `optimize` measures: some to calibrate with, others to judge by."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classifier.management.commands.classify import list_images
from classifier.ml.gate import GATE
from classifier.ml.preprocess import UndecodableImage, preprocess
from classifier.ml.refusal import Refusal
from classifier.ml.spec import ModelSpec
from classifier.models import Image, Prediction

CALIBRATION_IMAGES = 128  # more of them make int8 no better, and calibrating longer
SAMPLE_IMAGES = 16
TRAINING_BYTES = 2 * 1024**3  # of decoded images, when a pruned network is trained on
FEWEST_STORED = GATE.fewest_images * 3 // 2  # a third of them calibrates


class UnusableImages(Refusal):
    """There are no images to measure by, or they do not fit the model; the message says why."""


@dataclass(frozen=True)
class Picture:
    """An image file, wherever it is."""

    name: str
    read: Callable[[], bytes]
    label: int | None = None  # index of the right one, where it is known


@dataclass(frozen=True)
class Pictures:
    """What may be measured by, in the order in which it is taken."""

    source: str
    measured: tuple[Picture, ...]
    calibration: tuple[Picture, ...] = ()  # none: a part of the others is set aside
    skips_unreadable: bool = False


@dataclass(frozen=True)
class Evidence:
    """Decoded images, none of which is in both halves: uint8 pixels (n, crop, crop, 3)."""

    source: str
    fingerprint: str  # SHA-256 of the SHA-256 of all files, in order
    calibration: np.ndarray
    measured: np.ndarray
    truth: np.ndarray | None  # label indices (n,) of the measured ones
    measured_digests: frozenset[str]  # SHA-256 of their files

    @property
    def sample(self) -> np.ndarray:
        """Some pixels (n, crop, crop, 3) to try an engine with."""
        return self.measured[:SAMPLE_IMAGES]

    def facts(self) -> dict[str, Any]:
        """What a receipt tells of the images."""
        return {
            "source": self.source,
            "images": len(self.measured),
            "calibration_images": len(self.calibration),
            "labelled": self.truth is not None,
            "fingerprint": self.fingerprint,
        }


def pictures_in(folder: Path, labels: Sequence[str]) -> Pictures:
    """The images of a folder: right in it, or in a sub-folder for each label.

    A folder that holds `train` and `test`, as `manage.py train` takes it, gives both halves.

    Raises:
        UnusableImages: if there are none, or the sub-folders are no labels of the model.
    """
    if not folder.is_dir():
        raise UnusableImages(f"{folder} is not a folder")
    name = folder.absolute().name
    if not {"train", "test"} & {*labels} and all((folder / h).is_dir() for h in ("train", "test")):
        fitted, held_out = (_listed(folder / half, labels) for half in ("train", "test"))
        return Pictures(f"folder {name}", held_out, calibration=fitted)
    return Pictures(f"folder {name}", _listed(folder, labels))


def stored_pictures(limit: int) -> Pictures:
    """The images of past predictions, newest first.

    Raises:
        UnusableImages: if they are too few to judge by.
    """
    classified = Image.objects.filter(pk__in=Prediction.objects.succeeded().values("image"))
    found = tuple(
        Picture(str(image.pk), _reader(image))
        for image in classified.order_by("-id")[: limit + CALIBRATION_IMAGES]
    )
    if len(found) < FEWEST_STORED:
        raise UnusableImages(
            f"{len(found)} images were classified here so far, and {FEWEST_STORED} are needed to "
            "judge by; give a folder with --data, best with a sub-folder for each label"
        )
    return Pictures("stored images", found, skips_unreadable=True)


def decode(
    pictures: Pictures, spec: ModelSpec, limit: int, after_image: Callable[[], object]
) -> Evidence:
    """Decode at most `limit` images to measure by, and those to calibrate with.

    Files with the same bytes count once.

    Raises:
        UnusableImages: naming the first file that cannot be read.
    """
    if pictures.calibration:
        measured = _decoded(pictures, pictures.measured[:limit], spec, after_image)
        fitted = pictures.calibration[:CALIBRATION_IMAGES]
        calibration = _decoded(pictures, fitted, spec, after_image)
        calibration = {d: found for d, found in calibration.items() if d not in measured}
    else:
        chosen = pictures.measured[: limit + CALIBRATION_IMAGES]
        all_ = list(_decoded(pictures, chosen, spec, after_image).items())
        aside = min(CALIBRATION_IMAGES, len(all_) // 3)
        calibration, measured = dict(all_[:aside]), dict(all_[aside : aside + limit])
    return _evidence(pictures.source, calibration, measured)


def decode_training(
    pictures: Pictures, evidence: Evidence, spec: ModelSpec, after_image: Callable[[], object]
) -> tuple[np.ndarray, np.ndarray]:
    """Decode what may be trained on, as far as the memory goes: none of what is measured by.

    Returns uint8 pixels (n, crop, crop, 3) and their labels' indices (n,).

    Raises:
        UnusableImages: if nothing was set apart for training, or it has no labels.
    """
    chosen = pictures.calibration[: TRAINING_BYTES // (3 * spec.crop**2)]
    if not chosen or chosen[0].label is None:
        raise UnusableImages(
            "--prune trains the network on: give a folder with --data that holds "
            "train/<label>/ and test/<label>/"
        )
    decoded = _decoded(pictures, chosen, spec, after_image)
    kept = [found for d, found in decoded.items() if d not in evidence.measured_digests]
    return np.stack([pixels for pixels, _ in kept]), np.array([label for _, label in kept])


_Decoded = tuple[np.ndarray, int | None]  # pixels, and the right label's index


def _evidence(
    source: str, calibration: dict[str, _Decoded], measured: dict[str, _Decoded]
) -> Evidence:
    if not calibration or not measured:
        raise UnusableImages(f"{source} holds too few different images to measure by")
    digests = "\n".join([*calibration, *measured])
    truth = [label for _, label in measured.values() if label is not None]
    return Evidence(
        source=source,
        fingerprint=hashlib.sha256(digests.encode()).hexdigest(),
        calibration=np.stack([pixels for pixels, _ in calibration.values()]),
        measured=np.stack([pixels for pixels, _ in measured.values()]),
        truth=np.array(truth) if truth else None,
        measured_digests=frozenset(measured),
    )


def _listed(folder: Path, labels: Sequence[str]) -> tuple[Picture, ...]:
    """The images below a folder in an order that looks random and is the same every time."""
    files = [(path, path.relative_to(folder)) for path in list_images([folder])]
    if not files:
        raise UnusableImages(f"there is no image in {folder}")
    classes = {inner.parts[0] if len(inner.parts) > 1 else "" for _, inner in files}
    if classes != {""}:
        _check_labels(folder, classes, labels)
    index = {label: number for number, label in enumerate(labels)}
    found = (
        Picture(inner.as_posix(), path.read_bytes, index.get(inner.parts[0]))
        for path, inner in files
    )
    return tuple(sorted(found, key=lambda one: hashlib.sha256(one.name.encode()).digest()))


def _check_labels(folder: Path, classes: set[str], labels: Sequence[str]) -> None:
    if "" in classes:
        raise UnusableImages(f"{folder} holds images both beside its sub-folders and in them")
    if strange := sorted(classes - {*labels}):
        some = ", ".join(strange[:3]) + (", …" if len(strange) > 3 else "")
        raise UnusableImages(
            f"the folders of {folder} must be named as the model's labels; {some} is none of them "
            "(images without labels lie in the folder itself)"
        )


def _reader(image: Image) -> Callable[[], bytes]:
    def read() -> bytes:
        with image.file.open() as file:
            content: bytes = file.read()
            return content

    return read


def _decoded(
    pictures: Pictures,
    chosen: Iterable[Picture],
    spec: ModelSpec,
    after_image: Callable[[], object],
) -> dict[str, _Decoded]:
    """Pixels and label by the file's SHA-256, in order; files with the same bytes once."""

    def load(picture: Picture) -> tuple[str, _Decoded] | None:
        try:
            content = picture.read()
            pixels = preprocess(content, spec)
        except (OSError, UndecodableImage) as error:
            if pictures.skips_unreadable:
                return None
            raise UnusableImages(f"{picture.name}: {error}") from error
        finally:
            after_image()
        return hashlib.sha256(content).hexdigest(), (pixels, picture.label)

    with ThreadPoolExecutor() as pool:
        return dict(filter(None, pool.map(load, chosen)))
