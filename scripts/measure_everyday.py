"""Measure the everyday model on photographs, and on CIFAR-10, at several input sizes.

    python -m scripts.measure_everyday PHOTOS [--cifar FOLDER] [--bundle FOLDER]

PHOTOS is a folder of full-size photos named as ImageNet's, `n01558993_robin.JPEG`: those of the
kinds below count, each under the everyday label that it is an instance of. Kinds that might carry
two labels (an ambulance, a minibus, a wolf) are left out. FOLDER holds CIFAR-10's test images,
folder per class. The first line of the table is the bundle's own spec; the others are what else was
tried.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from classifier.ml.bundle import SHIPPED, Bundle, read_bundle
from classifier.ml.datasets import LabelledFiles, read_all
from classifier.ml.engines import load_engine
from classifier.ml.inference import Preprocess, classify_files
from classifier.ml.network import Network
from classifier.ml.preprocess import UndecodableImage, preprocess, preprocess_exactly
from classifier.ml.spec import ModelSpec

KINDS = {
    "airplane": {"n02690373", "n02692877", "n04552348"},
    "automobile": {"n02814533", "n03100240", "n03670208", "n04037443", "n04285008"},
    "bird": {
        *("n01518878", "n01558993", "n01592084", "n01608432", "n01795545", "n01855032"),
        *("n01860187", "n02002724", "n02009229", "n02018207"),
    },
    "cat": {"n02123045", "n02123159", "n02123394", "n02123597", "n02124075"},
    "dog": {
        *("n02086646", "n02090622", "n02091635", "n02096177", "n02102177", "n02107574"),
        *("n02111500", "n02113978"),
    },
    "frog": {"n01641577", "n01644373", "n01644900"},
    "horse": {"n02389026"},
    "ship": {"n02687172", "n02981792", "n03095699", "n03673027", "n04273569"},
    "truck": {"n03345487", "n03417042", "n04461696", "n04467665"},
}
# Photos of the usual set whose kind is hard to see: far away, hidden, or behind something else.
ASIDE = {"n01518878", "n01608432", "n02018207", "n04461696"}
SIZES = ((32, 32), (36, 32), (40, 32), (40, 40), (48, 48))


def list_photos(folder: Path, labels: Sequence[str]) -> LabelledFiles:
    """The photos whose kind has an everyday label."""
    label_of = {kind: label for label, kinds in KINDS.items() for kind in kinds}
    kinds = ((path, path.name.split("_")[0]) for path in sorted(folder.iterdir()))
    files = ((path, labels.index(label_of[kind])) for path, kind in kinds if kind in label_of)
    return LabelledFiles(tuple(labels), tuple(files))


def clear(photos: LabelledFiles) -> LabelledFiles:
    """Those photos that show their kind as their subject."""
    kept = (item for item in photos.files if item[0].name.split("_")[0] not in ASIDE)
    return LabelledFiles(photos.labels, tuple(kept))


def share_right(
    bundle: Bundle,
    spec: ModelSpec,
    data: LabelledFiles,
    preprocess: Preprocess = preprocess_exactly,
    verbose: bool = False,
) -> float:
    """How many of the images get the right label first, 0 to 1."""
    engine = load_engine(Network(bundle.architecture, bundle.weights, spec))
    engine.max_batch = 64
    truth = dict(data.files)
    right = 0
    for path, scores in classify_files(list(truth), engine, spec, preprocess):
        if isinstance(scores, UndecodableImage):
            raise SystemExit(f"{path}: {scores}")
        right += int(scores.argmax()) == truth[path]
        if verbose:
            best = int(scores.argmax())
            mark = " " if best == truth[path] else "x"
            print(f"{mark} {path.name:<45} {spec.labels[best]:<12} {scores[best]:5.0%}")
    return right / len(truth)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--bundle", type=Path, default=SHIPPED / "everyday")
    options = parser.parse_args()
    bundle = read_bundle(options.bundle)
    photos = list_photos(options.photos, bundle.spec.labels)
    cifar = read_all(options.cifar) if options.cifar else None
    own = share_right(bundle, bundle.spec, photos, verbose=True)
    subject = clear(photos)
    print(
        f"{own:.1%} of {len(photos.files)} photos are right, and "
        f"{share_right(bundle, bundle.spec, subject):.1%} of the {len(subject.files)} clear ones"
    )
    served = share_right(bundle, bundle.spec, photos, preprocess)
    print(f"{served:.1%} of the photos are right as they are decoded for serving")
    print("resize crop interpolation  photos   clear  CIFAR-10")
    tried = [
        replace(bundle.spec, resize=resize, crop=crop, interpolation=interpolation)
        for resize, crop in SIZES
        for interpolation in ("bilinear", "bicubic")
    ]
    for spec in [bundle.spec, *tried]:
        figures = [
            f"{share_right(bundle, spec, data):6.1%}" for data in (photos, subject, cifar) if data
        ]
        print(f"{spec.resize:6} {spec.crop:4} {spec.interpolation:<13}  {'  '.join(figures)}")


if __name__ == "__main__":
    main()
