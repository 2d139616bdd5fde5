"""The part of a resized picture that a network sees, computed without the rest of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image


class Filter(NamedTuple):
    """One of Pillow's filters, and torch's function that does the same."""

    reach: int  # to each side, in resized pixels
    torch: Callable[..., torch.Tensor]


FILTERS = {
    "bilinear": Filter(1, torch.ops.aten._upsample_bilinear2d_aa),
    "bicubic": Filter(2, torch.ops.aten._upsample_bicubic2d_aa),
}
# Elsewhere torch resizes bytes by plain loops, and Pillow is faster.
TORCH_IS_FAST = torch.backends.cpu.get_cpu_capability() in {"AVX2", "AVX512"}


@dataclass(frozen=True)
class Window:
    """Along one axis: `length` pixels of a source become `resized`, of which `side` are wanted."""

    length: int
    resized: int
    first: int  # of the wanted ones
    side: int
    reduced: int = 1  # the source was decoded at 1/reduced of its length, rounded up

    @property
    def scale(self) -> float:
        """Decoded pixels for each resized one."""
        return self.length / self.reduced / self.resized

    @property
    def decoded(self) -> int:
        """Number of decoded pixels."""
        return math.ceil(self.length / self.reduced)

    def box(self) -> tuple[float, float]:
        """Where the wanted pixels begin and end, in decoded pixels."""
        return self.first * self.scale, (self.first + self.side) * self.scale

    def from_whole_pixel(self, reach: int) -> tuple["Window", slice]:
        """The same window of a shorter source, and which decoded pixels are that source.

        The grids of decoded and resized pixels meet in regular steps: the source may begin where
        they do, as long as a filter that reaches so far finds what it needs.
        """
        step = self.resized * self.reduced
        step //= math.gcd(step, self.length)
        margin = math.ceil(reach * max(1, 1 / self.scale))
        skipped = max(0, self.first - margin) // step * step
        end = math.ceil((self.first + self.side + margin) * self.scale)
        needed = slice(round(skipped * self.scale), min(end, self.decoded))
        return replace(self, first=self.first - skipped), needed


def resample(decoded: np.ndarray | Image.Image, x: Window, y: Window, filter: str) -> np.ndarray:
    """Resize the windows of an image, or of uint8 pixels (h, w, 3), by a name in FILTERS.

    Returns uint8 pixels (side, side, 3), which may be a view: those of a whole resize that is
    cropped then, up to rounding.
    """
    if isinstance(decoded, np.ndarray):
        if TORCH_IS_FAST:
            return _by_torch(decoded, x, y, FILTERS[filter])
        decoded = Image.fromarray(decoded)
    return _by_pillow(decoded, x, y, Image.Resampling[filter.upper()])


def _by_pillow(image: Image.Image, x: Window, y: Window, filter: Image.Resampling) -> np.ndarray:
    (left, right), (top, bottom) = x.box(), y.box()
    box = (left, top, min(right, image.width), min(bottom, image.height))
    return np.asarray(image.resize((x.side, y.side), filter, box=box))


def _by_torch(pixels: np.ndarray, x: Window, y: Window, filter: Filter) -> np.ndarray:
    x, columns = x.from_whole_pixel(filter.reach)
    y, rows = y.from_whole_pixel(filter.reach)
    # NumPy copies, because torch would start a team of threads in each thread that decodes.
    source = torch.from_numpy(np.ascontiguousarray(pixels[rows, columns]))
    size = (y.first + y.side, x.first + x.side)
    resized = filter.torch(source.permute(2, 0, 1)[None], size, False, 1 / y.scale, 1 / x.scale)
    return resized[0, :, y.first :, x.first :].permute(1, 2, 0).numpy()
