"""Labelled images on disk: one folder a class, `DATA/<class>/*.jpg` (or png, webp, bmp)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torchvision.transforms import functional as F

from classifier.ml.refusal import Refusal

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


class InvalidDataset(Refusal):
    """The folder holds no usable labelled images; the message says what is missing."""


@dataclass(frozen=True)
class LabelledFiles:
    """Image files with the index of their label; labels are the class folders, sorted."""

    labels: tuple[str, ...]
    files: tuple[tuple[Path, int], ...]


def list_labelled_files(folder: Path) -> LabelledFiles:
    """List a folder-per-class data set.

    Raises:
        InvalidDataset: if there are fewer than two classes, or a class has no image.
    """
    if not folder.is_dir():
        raise InvalidDataset(f"{folder} is not a folder")
    labels = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir()))
    if len(labels) < 2:
        raise InvalidDataset(f"{folder} needs a sub-folder for each of at least two classes")
    files: list[tuple[Path, int]] = []
    for index, label in enumerate(labels):
        found = [p for p in sorted((folder / label).iterdir()) if p.suffix.lower() in SUFFIXES]
        if not found:
            raise InvalidDataset(f"{folder / label} holds no image ({', '.join(sorted(SUFFIXES))})")
        files += [(path, index) for path in found]
    return LabelledFiles(labels, tuple(files))


def load_square_images(data: LabelledFiles, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Decode a whole data set into memory.

    Returns uint8 images (n, 3, size, size), the shorter side resized and the centre cropped, and
    int64 label indices (n,).

    Raises:
        InvalidDataset: naming the first file that cannot be read.
    """

    def load(item: tuple[Path, int]) -> torch.Tensor:
        path, _ = item
        try:
            with Image.open(path) as opened:
                image = opened.convert("RGB")
        except OSError as error:
            raise InvalidDataset(f"{path} cannot be read as an image") from error
        if image.size != (size, size):
            image = F.center_crop(F.resize(image, [size], antialias=True), [size])
        pixels: torch.Tensor = F.pil_to_tensor(image)
        return pixels

    with ThreadPoolExecutor() as pool:
        images = torch.stack(list(pool.map(load, data.files)))
    return images, torch.tensor([index for _, index in data.files])
