"""The options of `models install`, `import` and `export`; nothing here loads torch."""

import argparse
import math
from pathlib import Path

from classifier.management.numbers import positive
from classifier.ml.spec import INTERPOLATIONS

FORMATS = ("safetensors", "onnx", "torch-export", "coreml-ready-onnx")


def add_install_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of `models install`."""
    parser.add_argument(
        "name",
        metavar="NAME",
        help="a model that ships with the project (everyday), a torchvision network (resnet50), "
        "or a folder that `train` wrote",
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="a state_dict, .safetensors or .pth"
    )
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="one label a line, in the order of the outputs"
    )
    parser.add_argument(
        "--architecture", metavar="A", help="torchvision network of --weights; default: NAME"
    )
    parser.add_argument(
        "--name", dest="installed_name", metavar="NAME", help="name to install it under"
    )
    parser.add_argument("--activate", action="store_true", help="let it serve by default")
    parser.add_argument(
        "--timeout", type=float, default=5.0, help="seconds until the network counts as away"
    )


def add_import_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of `models import`."""
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a state_dict, .safetensors or .pth, an .onnx, or a folder with one of them",
    )
    parser.add_argument("--name", help="what to call the model; default: the file's name")
    parser.add_argument(
        "--arch", dest="architecture", metavar="ARCH", help="of a state_dict, as resnet18"
    )
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="one label a line, in the order of the outputs"
    )
    parser.add_argument(
        "--image-size", type=positive, metavar="N", help="side of the pictures in pixels"
    )
    parser.add_argument(
        "--resize", type=positive, metavar="N", help="their shorter side before they are cropped"
    )
    parser.add_argument("--interpolation", choices=INTERPOLATIONS, help="of resizing")
    parser.add_argument(
        "--mean", type=channels, metavar="R,G,B", help="of the channels, of values 0 to 1"
    )
    parser.add_argument(
        "--std", type=channels, metavar="R,G,B", help="standard deviation of the same"
    )
    parser.add_argument("--licence", help="of the weights, for the record")
    parser.add_argument(
        "--bundle", type=Path, metavar="FOLDER", help="write the model there, install nothing"
    )
    parser.add_argument("--activate", action="store_true", help="let it serve by default")


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of `models export`."""
    parser.add_argument("model", metavar="NAME[@VERSION]")
    parser.add_argument("--format", choices=FORMATS, required=True, help="of the weights")
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help="to write; default: NAME-VERSION-FORMAT here"
    )


def channels(text: str) -> list[float]:
    """Three numbers with commas, or one that stands for all three."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in {1, 3} or not all(map(math.isfinite, values)):
        raise argparse.ArgumentTypeError(f"{text!r} is neither one number nor three with commas")
    return values * 3 if len(values) == 1 else values
