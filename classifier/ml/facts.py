"""What is known of a model from elsewhere, of which files beside its weights may tell some."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from classifier.ml.bundle import FACTS
from classifier.ml.documents import NotADocument, read_model_json, read_object
from classifier.ml.refusal import Refusal

LABELS = "labels.txt"
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"  # Hugging Face's
RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by Pillow's number
NEEDED = ("architecture", "labels", "crop", "mean", "std")  # what nobody may guess


class UnreadableFacts(Refusal):
    """A file that tells of a model is not what it should be; the message names it."""


@dataclass(frozen=True)
class Facts:
    """What is known of a model, in the words of `model.json`; what is not known is not there."""

    spec: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)  # its name, architecture, licence, ...
    files: tuple[str, ...] = ()  # that told some of it

    @property
    def lacking(self) -> list[str]:
        """What is still needed."""
        return [name for name in NEEDED if name not in {*self.spec, *self.others}]

    def over(self, other: "Facts") -> "Facts":
        """Both together; where they differ, these."""
        return Facts(
            {**other.spec, **self.spec}, {**other.others, **self.others}, self.files + other.files
        )


def read_beside(file: Path) -> Facts:
    """What the other files in its folder tell of a file of weights.

    `model.json` counts most, then `labels.txt`, then Hugging Face's two files of configuration.

    Raises:
        UnreadableFacts: naming a file that is not what it should be.
    """
    found = Facts()
    for name, read in READERS.items():
        path = file.parent / name
        if path.is_file():
            found = found.over(read(path))
    return found


def read_labels(path: Path) -> tuple[str, ...]:
    """One label a line, in the order of the network's outputs; empty lines do not count.

    Raises:
        UnreadableFacts: if there is no such file, or nothing in it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFacts(f"{path} cannot be read as text in UTF-8: {error}") from error
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels:
        raise UnreadableFacts(f"{path} is empty; it needs a line for each class, in their order")
    return labels


def _of_model(path: Path) -> Facts:
    facts = _told(read_model_json, path)
    spec = facts.pop("spec", {})
    return Facts(spec, facts, (path.name,))


def _of_labels(path: Path) -> Facts:
    return Facts({"labels": list(read_labels(path))}, files=(path.name,))


def _of_config(path: Path) -> Facts:
    names = _told(read_object, path).get("id2label")
    if names is None:
        return Facts()
    try:
        labels = [names[key] for key in sorted(names, key=int)]
    except (TypeError, ValueError) as error:
        raise UnreadableFacts(f"id2label in {path} must give each number a label") from error
    return Facts({"labels": labels}, files=(path.name,))


def _of_preprocessor(path: Path) -> Facts:
    """Where nothing is cut off, pictures are resized to the size of the crop."""
    config = _told(read_object, path)
    resize = _side(config.get("size"))
    crop = _side(config.get("crop_size")) if config.get("do_center_crop", True) else None
    spec: dict[str, Any] = {"resize": resize, "crop": crop or resize}
    if config.get("do_normalize", True):
        spec |= {"mean": config.get("image_mean"), "std": config.get("image_std")}
    else:
        spec |= {"mean": [0.0] * 3, "std": [1.0] * 3}
    resample = config.get("resample")
    if isinstance(resample, int) and 0 <= resample < len(RESAMPLE):
        spec["interpolation"] = RESAMPLE[resample]
    known = {name: value for name, value in spec.items() if value is not None}
    return Facts(known, files=(path.name,) if known else ())


def _side(size: Any) -> Any:
    if isinstance(size, dict):
        return size.get("shortest_edge") or size.get("height")
    return size


def _told(read: Callable[[Path], dict[str, Any]], path: Path) -> dict[str, Any]:
    try:
        return read(path)
    except (OSError, NotADocument) as error:
        raise UnreadableFacts(str(error)) from error


READERS = {
    FACTS: _of_model,
    LABELS: _of_labels,
    CONFIG: _of_config,
    PREPROCESSOR: _of_preprocessor,
}
