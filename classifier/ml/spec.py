"""All facts about a model's input and output that are not in its weights."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from classifier.ml.refusal import Refusal

INTERPOLATIONS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
PHOTO, INK = "photo", "ink"
FRAMINGS = (PHOTO, INK)
Channels = tuple[float, float, float]


class InvalidSpec(Refusal):
    """A field of the spec is missing, unknown or out of range; the message names it."""


@dataclass(frozen=True)
class ModelSpec:
    """How pixels become a network's input, and what its outputs mean.

    An image is resized until its shorter side has `resize` pixels, the middle `crop` x `crop`
    pixels are taken, and each channel, of values 0 to 1, becomes (value - mean) / std. Where the
    framing is `ink`, the writing in the image is found first, and `ink.frame` of it is taken.

    Raises:
        InvalidSpec: if a value is out of range.
    """

    labels: tuple[str, ...]  # in the order of the network's outputs
    resize: int
    crop: int
    interpolation: str  # Pillow's name of the filter, in lower case
    mean: Channels
    std: Channels
    framing: str = PHOTO

    def __post_init__(self) -> None:
        _require(_is_labels(self.labels), "labels", "be a list of texts, none of them empty")
        _require(_is_count(self.resize), "resize", "be a whole number of pixels above 0")
        _require(_is_count(self.crop), "crop", "be a whole number of pixels above 0")
        _require(self.crop <= self.resize, "crop", "be no larger than resize")
        _require(
            self.interpolation in INTERPOLATIONS, "interpolation", f"be one of {INTERPOLATIONS}"
        )
        _require(_is_channels(self.mean), "mean", "be three numbers")
        _require(_is_channels(self.std) and min(self.std) > 0, "std", "be three numbers above 0")
        _require(self.framing in FRAMINGS, "framing", f"be one of {FRAMINGS}")

    def to_json(self) -> dict[str, Any]:
        """The spec as `ModelVersion.spec` and `model.json` keep it.

        What has its default is left out, so that a spec that is stored already stays the same.
        """
        defaults = {field.name: field.default for field in fields(self)}
        return {
            name: _plain(value) for name, value in asdict(self).items() if value != defaults[name]
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ModelSpec":
        """Read what `to_json` wrote.

        Raises:
            InvalidSpec: naming the first field that is missing, unknown or out of range.
        """
        names = [field.name for field in fields(cls)]
        for field in fields(cls):
            _require(field.name in values or field.default != MISSING, field.name, "be there")
        for name in values:
            _require(name in names, name, f"not be there; the fields are {', '.join(names)}")
        frozen: dict[str, Any] = {name: _frozen(value) for name, value in values.items()}
        return cls(**frozen)


def _require(holds: bool, field: str, what: str) -> None:
    if not holds:
        raise InvalidSpec(f"the spec's field {field!r} must {what}")


def _is_labels(value: object) -> bool:
    texts = isinstance(value, tuple) and all(isinstance(part, str) and part for part in value)
    return texts and bool(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_channels(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 3
        and all(isinstance(part, int | float) for part in value)
    )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
