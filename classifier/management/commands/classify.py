"""`manage.py classify PATH...`: what is in these pictures, on the command line."""

import json
import math
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from classifier.actions.install import file_on_disk
from classifier.management.numbers import positive
from classifier.management.refusals import NOTHING_INSTALLED, find_version, refusals_told, refuse
from classifier.ml.engines import Engine, load_engine
from classifier.ml.inference import Decoded, outputs_of_files, top_labels
from classifier.ml.network import Network
from classifier.ml.preprocess import UndecodableImage, preprocess, preprocess_exactly
from classifier.ml.reading import Reading, reading_of
from classifier.ml.spec import ModelSpec
from classifier.ml.weights import check_sha256
from classifier.models import ModelVersion

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}


class Command(BaseCommand):
    help = "Classify image files, and folders of them."
    requires_system_checks = ()  # none of them is about this, and they take a second

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument(
            "--model", metavar="NAME[@VERSION]", help="default: the model that serves"
        )
        parser.add_argument("--top-k", type=positive, default=5, help="labels for each image")
        parser.add_argument(
            "--exact",
            action="store_true",
            help="decode and resize exactly as torchvision does it, which takes longer",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object a line")

    def run_from_argv(self, argv: list[str]) -> None:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly where `| head` reads no more
        super().run_from_argv(argv)

    def handle(self, *args: str, **options: Any) -> None:
        files = list_images(options["paths"])
        if not files:
            raise refuse(f"There is no image in these folders ({', '.join(sorted(SUFFIXES))}).")
        version = find_version(options["model"]) if options["model"] else _serving()
        with refusals_told():
            spec, engine = _load(version)
            read = reading_of(version.calibration)
        format_ = _json_line if options["json"] else _text_line(files)
        failures = 0
        pixels = preprocess_exactly if options["exact"] else preprocess
        found = outputs_of_files(files, engine.logits, engine.max_batch, spec, pixels)
        for path, logits in tqdm(found, total=len(files), unit="image", disable=None):
            failures += isinstance(logits, UndecodableImage)
            result = _result(path, logits, read, version, options["top_k"])
            with tqdm.external_write_mode():  # lines and the bar share the terminal
                self.stdout.write(format_(result))
        if failures:
            raise CommandError(f"{failures} of {len(files)} files could not be classified.")


def list_images(paths: Iterable[Path]) -> list[Path]:
    """The named files, whatever they are, and the images in the named folders, sorted."""
    files: set[Path] = set()
    for path in paths:
        files |= set(_images_below(path)) if path.is_dir() else {path}
    return sorted(files)


def _images_below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            yield path


def _serving() -> ModelVersion:
    try:
        return ModelVersion.objects.serving()
    except ModelVersion.DoesNotExist as error:
        if ModelVersion.objects.exists():
            raise refuse(
                "No model is activated: `manage.py models activate NAME@VERSION`, or --model."
            ) from error
        raise refuse(NOTHING_INSTALLED) from error


def _load(version: ModelVersion) -> tuple[ModelSpec, Engine]:
    spec = ModelSpec.from_json(version.spec)
    with file_on_disk(version.weights) as weights:
        check_sha256(weights, version.sha256)
        return spec, load_engine(Network(version.architecture, weights, spec))


def _result(
    path: Path, logits: Decoded, read: Reading, version: ModelVersion, top_k: int
) -> dict[str, Any]:
    """What a prediction would say of it; where the model is not calibrated, that has no doubts."""
    if isinstance(logits, UndecodableImage):
        return {"file": str(path), "error": str(logits)}
    said = read(logits[None], version.labels)
    output = top_labels(said.probabilities[0], version.labels, top_k)
    result: dict[str, Any] = {"file": str(path), "output": output, "model": str(version)}
    [label_set], [doubt] = said.label_sets, said.doubts
    if label_set is not None:
        result |= {"label_set": label_set, "doubt": doubt or None}
    return result


def _json_line(result: dict[str, Any]) -> str:
    return json.dumps(result, ensure_ascii=False)


def _text_line(files: list[Path]) -> Callable[[dict[str, Any]], str]:
    """A formatter of results that aligns what follows the files' names."""
    width = max(len(str(path)) for path in files)

    def line(result: dict[str, Any]) -> str:
        found = result.get("error") or ", ".join(  # rounded down: nothing is certain
            f"{best['label']} {math.floor(100 * best['score'])} %" for best in result["output"]
        )
        if result.get("doubt"):
            found = f"not sure: {found}"
        return f"{result['file']:<{width}}  {found}"

    return line
