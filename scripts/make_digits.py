"""Write scikit-learn's handwritten digits as pictures, in a folder for each.

    python -m scripts.make_digits FOLDER

They are the test set of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, UCI
1998): 1,797 pictures of 8 x 8 pixels, of values from 0, the paper, to 16. `train` takes the folder.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

DEEPEST = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    folder = parser.parse_args().folder
    write_digits(folder)
    print(f"Wrote {len(list(folder.glob('*/*.png')))} pictures to {folder}.")


def write_digits(folder: Path) -> None:
    """Write each digit to `folder/<digit>/<number in the set>.png`, bright on black."""
    digits = load_digits()
    greys = (digits.images * (255 / DEEPEST)).round().astype(np.uint8)
    for number, (pixels, digit) in enumerate(zip(greys, digits.target, strict=True)):
        path = folder / str(digit) / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


if __name__ == "__main__":
    main()
