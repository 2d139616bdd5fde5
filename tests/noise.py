"""Pictures that are all different, for tests that need many."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_noise(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """That many files of random pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    files = [folder / f"{seed}-{number}.png" for number in range(count)]
    for file in files:
        Image.fromarray(draw.integers(0, 256, (32, 32, 3), np.uint8)).save(file)
    return files
