"""JPEGs to measure with: given ones, or made ones that are as hard to decode as photographs."""

import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 500, 375
OCTAVES = (3, 6, 12, 25, 50, 100, 200)  # cells along the shorter side, from broad to fine
AMPLITUDE = 110  # of the broadest; the finer, the less
COLOURED = 0.3  # as much as the channels differ from one another
COMMENT = b"\xff\xfe"


def made_pictures(count: int = 120) -> list[bytes]:
    """Different ones, always the same: colours that vary as much coarsely as finely."""
    return [_made(np.random.default_rng(seed)) for seed in range(count)]


def _made(chance: np.random.Generator) -> bytes:
    pixels = np.full((HEIGHT, WIDTH, 3), 128.0)
    for cells in OCTAVES:
        shape = (cells, cells * WIDTH // HEIGHT)
        light, colour = chance.normal(0, 1, (*shape, 1)), chance.normal(0, COLOURED, (*shape, 3))
        noise = 128 + AMPLITUDE / cells**0.5 * (light + colour)
        layer = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
        pixels += np.asarray(layer.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)) - 128.0
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


def given_pictures(folder: Path) -> list[bytes]:
    """Every JPEG of a folder and of those below it."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    if not found:
        raise SystemExit(f"there is no JPEG in {folder}")
    return [path.read_bytes() for path in found]


def endlessly(pictures: Sequence[bytes]) -> Iterator[bytes]:
    """The same pictures over and over, no two of them of the same bytes.

    What was classified before is answered from the cache, which is not what is to be measured.
    """
    for number, picture in enumerate(itertools.cycle(pictures)):
        yield unique(picture, number)


def unique(picture: bytes, number: int) -> bytes:
    """The same pixels in other bytes: with a comment segment that has this number."""
    text = number.to_bytes(8, "big")
    return picture[:2] + COMMENT + (2 + len(text)).to_bytes(2, "big") + text + picture[2:]
