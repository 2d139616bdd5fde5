"""Pictures made worse in ways that they become worse by themselves, each at five severities.

In the spirit of Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations" (2019), with amounts of our own: theirs are tuned to one data set
each, and these are to serve for images of any size. So figures compare with one another, not with
published ones.
"""

import io
import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

SEVERITIES = (1, 2, 3, 4, 5)

# By severity. Noise and brightness in shares of the range of values, blur as a share of the side.
NOISE_DEVIATION = (0.04, 0.07, 0.1, 0.15, 0.22)
BLUR_RADIUS = (0.008, 0.012, 0.016, 0.022, 0.03)  # of a Gaussian
JPEG_QUALITY = (65, 45, 30, 20, 10)
BRIGHTENING = (0.1, 0.2, 0.3, 0.4, 0.5)  # added to every value
ROTATION_DEGREES = (5, 10, 15, 20, 30)  # in either direction

Corruption = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def corrupt(pixels: np.ndarray, corruption: str, severity: int, seed: int = 0) -> np.ndarray:
    """Corrupt uint8 images (n, side, side, 3), by a name in CORRUPTIONS and a severity of 1 to 5.

    What is drawn for an image depends on the seed and its place alone, not on the severity: it is
    the same noise, only more of it.
    """
    change = CORRUPTIONS[corruption]
    draws = (np.random.default_rng([seed, place]) for place in range(len(pixels)))
    worse = [change(image, severity - 1, draw) for image, draw in zip(pixels, draws, strict=True)]
    return np.stack(worse)


def _noise(image: np.ndarray, level: int, draw: np.random.Generator) -> np.ndarray:
    """Gaussian noise, as of a sensor in the dark."""
    noise = draw.standard_normal(image.shape, np.float32)
    return _bytes(image + 255 * NOISE_DEVIATION[level] * noise)


def _blur(image: np.ndarray, level: int, draw: np.random.Generator) -> np.ndarray:
    """A lens out of focus."""
    blur = ImageFilter.GaussianBlur(BLUR_RADIUS[level] * len(image))
    return np.asarray(Image.fromarray(image).filter(blur))


def _jpeg(image: np.ndarray, level: int, draw: np.random.Generator) -> np.ndarray:
    """Saved with too small a file in mind. Its blocks are of 8 pixels, whatever the side."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=JPEG_QUALITY[level])
    with Image.open(file) as saved:
        return np.asarray(saved)


def _brightness(image: np.ndarray, level: int, draw: np.random.Generator) -> np.ndarray:
    """Exposed for too long."""
    return _bytes(image + np.float32(255 * BRIGHTENING[level]))


def _rotation(image: np.ndarray, level: int, draw: np.random.Generator) -> np.ndarray:
    """A camera held askew. What comes in at the corners is the picture's mirrored edge."""
    angle = ROTATION_DEGREES[level] * draw.choice((-1, 1))
    margin = math.ceil(len(image) / 4)  # the corners reach out by at most a fifth of the side
    wide = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    turned = Image.fromarray(wide).rotate(angle, Image.Resampling.BICUBIC)
    return np.asarray(turned)[margin:-margin, margin:-margin]


def _bytes(values: np.ndarray) -> np.ndarray:
    pixels: np.ndarray = values.round().clip(0, 255).astype(np.uint8)
    return pixels


CORRUPTIONS: dict[str, Corruption] = {
    "noise": _noise,
    "blur": _blur,
    "jpeg": _jpeg,
    "brightness": _brightness,
    "rotation": _rotation,
}
