"""Numbers that programs send in place of a file, made into one.

What comes out is a PNG, in which every value is kept; from there on it is an upload like any other.
"""

import io
import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

from PIL import Image

from classifier.images import InvalidImage

CODE = "invalid_pixels"
MODES = {1: "L", 3: "RGB"}


def encode_pixels(pixels: object, white: int | None = None) -> bytes:
    """Make a PNG of rows of pixels: H×W, H×W×1 (greys) or H×W×3 (red, green, blue).

    Args:
        pixels: nested lists of numbers from 0 to 255, or of numbers from 0 to 1.
        white: the greatest value, 255 or 1. Without it, 1 if no number is greater than that.

    Raises:
        InvalidImage: with the code `invalid_pixels`.
    """
    rows = _equal_lists(pixels, "row", "pixels")
    height, width = len(rows), len(rows[0])
    values = list(chain.from_iterable(rows))
    channels = 1
    if isinstance(values[0], list):
        values = _equal_lists(values, "pixel", "pixels")
        channels = len(values[0])
        values = list(chain.from_iterable(values))
    return _png(values, width, height, channels, white)


def encode_flat(
    values: object, width: int, height: int, channels: int = 1, white: int | None = None
) -> bytes:
    """Make a PNG of numbers in one list, row by row, the channels of a pixel side by side.

    Args and errors are those of `encode_pixels`.
    """
    wanted = width * height * channels
    if not isinstance(values, list) or len(values) != wanted:
        found = f"{len(values)} values" if isinstance(values, list) else type(values).__name__
        shape = f"{height}×{width}×{channels}"
        raise InvalidImage(CODE, f"A list of {wanted} numbers ({shape}) is needed, not {found}.")
    return _png(values, width, height, channels, white)


def encode_bytes(values: bytes, width: int, height: int, channels: int = 1) -> bytes:
    """Make a PNG of one byte a value, in the order of `encode_flat`.

    Raises:
        InvalidImage: with the code `invalid_pixels`.
    """
    if len(values) != width * height * channels:
        shape = f"{height}×{width}×{channels}"
        raise InvalidImage(CODE, f"{shape} values are one byte each, not {len(values)} bytes.")
    return _as_png(values, width, height, channels)


def encode_square(values: object) -> bytes:
    """Make a PNG of the greys of a square in one list: 784 numbers are 28×28.

    Raises:
        InvalidImage: with the code `invalid_pixels`.
    """
    side = math.isqrt(len(values)) if isinstance(values, list) else 0
    if not isinstance(values, list) or not side or side * side != len(values):
        found = f"{len(values)} values" if isinstance(values, list) else type(values).__name__
        raise InvalidImage(
            CODE, f"A list of numbers for a square is needed, such as 784 for 28×28, not {found}."
        )
    return _png(values, side, side, 1, None)


def _equal_lists(value: object, part: str, whole: str) -> list[list[Any]]:
    """Make sure that this is a list of lists of one and the same length, none empty."""
    if not isinstance(value, list) or not value:
        raise InvalidImage(CODE, f"The {whole} must be a list of rows, each a list of numbers.")
    for position, item in enumerate(value):
        if not isinstance(item, list) or not item:
            raise InvalidImage(CODE, f"The {part} {position} is no list of numbers.")
        if len(item) != len(value[0]):
            raise InvalidImage(
                CODE,
                f"The {part} {position} has {len(item)} values where others have {len(value[0])}.",
            )
    return value


def _png(values: list[Any], width: int, height: int, channels: int, white: int | None) -> bytes:
    return _as_png(_as_bytes(values, white), width, height, channels)


def _as_png(values: bytes, width: int, height: int, channels: int) -> bytes:
    if channels not in MODES:
        raise InvalidImage(CODE, f"A pixel has 1 value or 3 (red, green, blue), not {channels}.")
    picture = Image.frombytes(MODES[channels], (width, height), values)
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _as_bytes(values: Sequence[Any], white: int | None) -> bytes:
    kinds = set(map(type, values))
    if others := kinds - {int, float}:
        names = ", ".join(sorted(kind.__name__ for kind in others))
        raise InvalidImage(CODE, f"The values must be numbers; there is also {names}.")
    white = white or (1 if max(values) <= 1 else 255)
    if not all(0 <= value <= white for value in values):  # nor is what is not a number
        raise InvalidImage(CODE, f"The values must be from 0 to {white}; at least one is not.")
    if kinds == {int} and white == 255:
        return bytes(values)
    return bytes(int(value * 255 / white + 0.5) for value in values)
