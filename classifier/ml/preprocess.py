"""From an image file's bytes to a network's input, exactly as torchvision's own transforms do it.

Images are decoded at full size and resized by Pillow; nothing is approximated for speed.
"""

import io

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from classifier.ml.spec import ModelSpec

MAX_ASPECT_RATIO = 200
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


class UndecodableImage(ValueError):
    """The bytes are no image that can be decoded to its end."""


def preprocess(content: bytes, spec: ModelSpec) -> torch.Tensor:
    """Decode an image file and make it a network's input.

    Returns a float32 tensor (3, crop, crop). The first frame of an animation is taken, and the
    camera's orientation is honoured.

    Raises:
        UndecodableImage: if the bytes cannot be decoded; the message says why.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            image = to_rgb(ImageOps.exif_transpose(opened))
    except Exception as error:  # decoders raise whatever they like
        raise UndecodableImage(_why(error)) from error
    _check_ratio(*image.size)
    return _normalise(_crop_centre(_resize(image, spec), spec.crop), spec)


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
    # Rounded down, as torchvision does it.
    width, height = (int(spec.resize * side / shorter) for side in image.size)
    return image.resize((width, height), Image.Resampling[spec.interpolation.upper()])


def _crop_centre(image: Image.Image, side: int) -> Image.Image:
    left, top = (round((length - side) / 2) for length in image.size)
    return image.crop((left, top, left + side, top + side))


def _normalise(image: Image.Image, spec: ModelSpec) -> torch.Tensor:
    # NumPy, because torch would start a team of threads in each thread that decodes.
    pixels = np.array(image, dtype=np.float32)
    pixels /= 255
    pixels -= np.array(spec.mean, dtype=np.float32)
    pixels /= np.array(spec.std, dtype=np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1)


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
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"The image cannot be decoded: {reason[:200]}"
