"""JPEGs decoded at no more than the size that is needed.

A JPEG's blocks of 8 x 8 pixels can be decoded as 4 x 4, 2 x 2 or one pixel, at a fraction of the
cost: what is dropped are the frequencies that resizing would drop.
"""

import math
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from PIL import Image

# It decodes into NumPy's memory, where torch's fast resize can take it; without it, Pillow serves.
simplejpeg = import_module("simplejpeg") if find_spec("simplejpeg") else None
FACTORS = (8, 4, 2)
# Decoded pixels that must be left for each resized one: with three, no photograph that was tried
# differs by more than a grey level in the mean. A large one takes so long that two must do; then
# most differ by 0.3. A small network sees so few pixels that each counts: with less than ten, the
# best label of some photographs was another. docs/architecture/08-pixels.md has the figures.
LEFT_OVER = 3.0
LARGE = 2000  # pixels of the shorter side
LEFT_OVER_OF_LARGE = 2.0
SMALL = 100  # pixels that the shorter side is resized to
LEFT_OVER_FOR_SMALL = 10.0


def takes(opened: Image.Image) -> bool:
    """Whether `decode` is for such a file: a JPEG, in grey or in colours that are not for print."""
    return opened.format in {"JPEG", "MPO"} and opened.mode in {"L", "RGB"}


def reduction(opened: Image.Image, resize: int) -> int:
    """By how much to reduce a file whose shorter side is to have `resize` pixels: 1, 2, 4 or 8."""
    if not takes(opened):
        return 1
    shorter = min(opened.size)
    if resize < SMALL:
        left_over = LEFT_OVER_FOR_SMALL
    else:
        left_over = LEFT_OVER_OF_LARGE if shorter >= LARGE else LEFT_OVER
    return next((factor for factor in FACTORS if shorter >= left_over * factor * resize), 1)


def decode(content: bytes, opened: Image.Image, reduced: int) -> np.ndarray | Image.Image:
    """Decode to RGB, as it is stored, at 1/reduced of the size, rounded up.

    Returns an image, or its uint8 pixels (h, w, 3). `opened` is the same file, not loaded yet.

    Raises:
        ValueError, OSError: if the file is damaged, though it be only a little.
    """
    if simplejpeg is None:
        opened.draft("RGB", (opened.width // reduced, opened.height // reduced))
        return opened.convert("RGB")
    width, height = (math.ceil(side / reduced) for side in opened.size)
    pixels: np.ndarray = simplejpeg.decode_jpeg(content, "RGB", min_width=width, min_height=height)
    if pixels.shape != (height, width, 3):
        raise ValueError("two decoders see different sizes")
    return pixels
