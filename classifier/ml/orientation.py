"""How the camera was held, as EXIF has it."""

from typing import NamedTuple

import numpy as np
from PIL import Image

TAG = 0x0112


class Turn(NamedTuple):
    """How stored pixels become upright: mirrored along one axis or both, then transposed."""

    mirrored: tuple[bool, bool] = (False, False)  # along x, along y
    transposed: bool = False

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Stored pixels (height, width, 3) made upright, as a view."""
        x, y = (slice(None, None, -1 if mirrored else 1) for mirrored in self.mirrored)
        return pixels[y, x].swapaxes(0, 1) if self.transposed else pixels[y, x]


TURNS = {
    2: Turn((True, False)),
    3: Turn((True, True)),
    4: Turn((False, True)),
    5: Turn((False, False), transposed=True),
    6: Turn((False, True), transposed=True),
    7: Turn((True, True), transposed=True),
    8: Turn((True, False), transposed=True),
}


def turn_of(opened: Image.Image) -> Turn:
    """What makes an image upright; nothing where its file says nothing."""
    return TURNS.get(opened.getexif().get(TAG, 1), Turn())
