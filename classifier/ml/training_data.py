"""Images to train on, decoded once, into a file that the system keeps in memory as it can."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from classifier.ml.datasets import LabelledFiles, decode_each
from classifier.ml.preprocess import preprocess_exactly
from classifier.ml.spec import Channels, ModelSpec

MEASURED = 5000  # images of which the mean and the deviation are taken


@dataclass(frozen=True)
class TrainingData:
    """uint8 images (n, 3, h, w) and int64 label indices (n,), to fit and to watch.

    There may be none to watch; then nothing is known of the network before its end.
    """

    labels: tuple[str, ...]
    images: torch.Tensor
    targets: torch.Tensor
    validation_images: torch.Tensor
    validation_targets: torch.Tensor
    fingerprint: str = ""  # by which a run that is taken up knows them

    @property
    def mean(self) -> Channels:
        """Mean of each channel of the images, of values 0 to 1."""
        red, green, blue = self._measured.mean(dim=(0, 2, 3)).tolist()
        return round(red, 4), round(green, 4), round(blue, 4)

    @property
    def std(self) -> Channels:
        """Standard deviation of each channel of the images, of values 0 to 1."""
        red, green, blue = self._measured.std(dim=(0, 2, 3)).clamp(min=1e-3).tolist()
        return round(red, 4), round(green, 4), round(blue, 4)

    @property
    def class_weights(self) -> torch.Tensor:
        """Float weights (classes,), which give all classes the same sum, and 1 in the mean."""
        counts = torch.bincount(self.targets, minlength=len(self.labels)).float()
        return len(self.targets) / (len(self.labels) * counts.clamp(min=1))

    @property
    def _measured(self) -> torch.Tensor:
        spread = torch.linspace(0, len(self.images) - 1, min(len(self.images), MEASURED)).long()
        return self.images[spread].float() / 255


def load_images(
    data: LabelledFiles,
    spec: ModelSpec,
    folder: Path,
    after_image: Callable[[], object] = lambda: None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Decode a data set as the spec says, but all of an image's middle, at the size of the crop.

    Returns uint8 images (n, 3, crop, crop), which lie in a file in `folder` that a later run finds
    again, and int64 label indices (n,).

    Raises:
        InvalidDataset: naming the files that cannot be read.
    """
    if not data.files:
        return torch.empty(0, 3, spec.crop, spec.crop, dtype=torch.uint8), torch.empty(0).long()
    whole = replace(spec, resize=spec.crop)
    target = folder / f"images-{_key(data, whole)}.npy"
    if not target.exists():
        _decode(data, whole, target, after_image)
    pixels = np.load(target, mmap_mode="c")  # torch wants to be able to write
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return images, torch.tensor([label for _, label in data.files], dtype=torch.int64)


def _decode(
    data: LabelledFiles, spec: ModelSpec, target: Path, after_image: Callable[[], object]
) -> None:
    """Written beside the target first, so that a kill leaves no half of it."""
    partial = target.with_suffix(".partial")
    shape = (len(data.files), spec.crop, spec.crop, 3)
    pixels = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    paths = [path for path, _ in data.files]
    decoded = decode_each(
        paths, lambda path: preprocess_exactly(path.read_bytes(), spec), after_image
    )
    for row, (_, image) in zip(pixels, decoded, strict=True):
        row[:] = image
    pixels.flush()
    partial.replace(target)


def _key(data: LabelledFiles, spec: ModelSpec) -> str:
    """The same for the same files, looked at in the same way."""
    names = [f"{path} {path.stat().st_mtime_ns}" for path, _ in data.files]
    looks = [spec.crop, spec.interpolation, spec.framing]
    text = "\n".join([*names, *map(str, looks)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
