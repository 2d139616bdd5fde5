"""From an image file's bytes to the pixels that a network sees: fast, or exactly as torchvision's
own transforms have them.

The fast way decodes a large JPEG at a fraction of its size, and resizes only what the network will
see. Whatever it does not take, or stumbles over, goes the exact way, so that both take the same
files and refuse the same ones with the same words.
"""

import io
from contextlib import suppress

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from classifier.ml import ink, jpeg
from classifier.ml.orientation import Turn, turn_of
from classifier.ml.resampling import FILTERS, Window, resample
from classifier.ml.spec import INK, ModelSpec

MAX_ASPECT_RATIO = 200
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


class UndecodableImage(ValueError):
    """The bytes are no image that can be decoded to its end."""


def preprocess(content: bytes, spec: ModelSpec) -> np.ndarray:
    """Decode an image file, resize it and take its middle, as fast as can be.

    Returns uint8 pixels (crop, crop, 3), which engines normalise. They differ from the exact ones
    by rounding, and where a JPEG was decoded at a fraction of its size by about one grey level in
    the mean.

    Raises:
        UndecodableImage: if the bytes cannot be decoded; the message says why.
    """
    if spec.interpolation in FILTERS and spec.framing != INK:
        with suppress(Exception):  # whatever it is, the exact way has the words for it
            return _preprocess_fast(content, spec)
    return preprocess_exactly(content, spec)


def preprocess_exactly(content: bytes, spec: ModelSpec) -> np.ndarray:
    """Decode an image file at its full size, resize all of it and take its middle.

    Where the framing is `ink`, this happens to what `ink.frame` makes of the image.

    Returns uint8 pixels (crop, crop, 3), those of torchvision's transforms. The first frame of an
    animation is taken, and the camera's orientation is honoured.

    Raises:
        UndecodableImage: if the bytes cannot be decoded; the message says why.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            image = to_rgb(ImageOps.exif_transpose(opened))
    except Exception as error:  # decoders raise whatever they like
        raise UndecodableImage(_why(error)) from error
    _check_ratio(*image.size)
    if spec.framing == INK:
        image = ink.frame(image)
    return np.array(_crop_centre(_resize(image, spec), spec.crop))


def _preprocess_fast(content: bytes, spec: ModelSpec) -> np.ndarray:
    decoded: Image.Image | np.ndarray
    with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
        reduced = jpeg.reduction(opened, spec.resize)
        if jpeg.takes(opened):
            size, turn = opened.size, turn_of(opened)
            decoded = jpeg.decode(content, opened, reduced)
        else:
            decoded = to_rgb(ImageOps.exif_transpose(opened))
            size, turn = decoded.size, Turn()
    _check_ratio(*size)
    x, y = (
        _window(length, min(size), spec, mirrored, reduced)
        for length, mirrored in zip(size, turn.mirrored, strict=True)
    )
    pixels = turn(resample(decoded, x, y, spec.interpolation))
    return np.array(pixels, order="C")  # however it was turned


def _window(length: int, shorter: int, spec: ModelSpec, mirrored: bool, reduced: int) -> Window:
    resized = _resized(length, shorter, spec)
    first = _centre(resized, spec.crop)
    if mirrored:
        first = resized - spec.crop - first
    return Window(length, resized, first, spec.crop, reduced)


def to_rgb(image: Image.Image) -> Image.Image:
    """Eight bits for each of red, green and blue; what is transparent shows white paper."""
    if image.mode.startswith("I;16"):
        image = _grey(np.asarray(image).astype(np.float32) / 257)
    elif image.mode in {"I", "F"}:
        image = _grey(_stretched(np.asarray(image).astype(np.float32)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _check_ratio(width: int, height: int) -> None:
    """Refuse what would be resized to a strip that fills the memory, a few bytes though it has."""
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise UndecodableImage(
            f"The image has {width} x {height} pixels; "
            f"one side may be at most {MAX_ASPECT_RATIO} times the other."
        )


def _resize(image: Image.Image, spec: ModelSpec) -> Image.Image:
    shorter = min(image.size)
    if shorter == spec.resize:
        return image
    width, height = (_resized(side, shorter, spec) for side in image.size)
    return image.resize((width, height), Image.Resampling[spec.interpolation.upper()])


def _crop_centre(image: Image.Image, side: int) -> Image.Image:
    left, top = (_centre(length, side) for length in image.size)
    return image.crop((left, top, left + side, top + side))


def _resized(length: int, shorter: int, spec: ModelSpec) -> int:
    return int(spec.resize * length / shorter)  # rounded down, as torchvision does it


def _centre(length: int, side: int) -> int:
    return round((length - side) / 2)


def _grey(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def _stretched(pixels: np.ndarray) -> np.ndarray:
    """Values that declare no range, spread from black to white; those of a byte stay."""
    low, high = float(pixels.min()), float(pixels.max())
    if low >= 0 and 1 < high <= 255:
        return pixels
    return (pixels - low) * (255 / max(high - low, 1e-9))


def _why(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"This is not an image in a known format. Accepted are {', '.join(FORMATS)}."
    text = str(error).encode("utf-8", "replace").decode().replace("\0", "")  # to be stored
    reason = " ".join(text.split()) or type(error).__name__
    return f"The image cannot be decoded: {reason[:200]}"
