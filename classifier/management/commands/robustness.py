"""`manage.py robustness MODEL --data FOLDER`: what is left of its accuracy on worse images."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management import BaseCommand, CommandParser
from tqdm import tqdm

from classifier.management.networks import network_of
from classifier.management.numbers import percent, positive
from classifier.management.refusals import find_version, refusals_told
from classifier.management.table import table
from classifier.management.training import dataset_name
from classifier.ml.corruptions import SEVERITIES
from classifier.ml.datasets import LabelledFiles, decode_each, digests, fingerprint, read_all
from classifier.ml.preprocess import preprocess_exactly
from classifier.ml.robustness import RobustnessReport, measure, passes
from classifier.ml.spec import ModelSpec

Accuracies = Mapping[str, tuple[float, ...]]


class Command(BaseCommand):
    help = "Measure a model's accuracy on corrupted images and under attack."
    requires_system_checks = ()  # none of them is about this, and they take a second

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", metavar="MODEL[@VERSION]")
        parser.add_argument(
            "--data",
            type=Path,
            required=True,
            metavar="FOLDER",
            help="labelled images, in a sub-folder for each label; or a CSV file. Of a data set in "
            "parts, those of test are taken",
        )
        parser.add_argument(
            "--limit", type=positive, default=500, help="how many images, drawn at random; 500"
        )
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: str, **options: Any) -> None:
        version = find_version(options["model"])
        with refusals_told(), network_of(version) as network:
            data = read_all(options["data"]).with_labels_of(version.labels)
            chosen = draw(data, options["limit"])
            facts = {
                "dataset": dataset_name(options["data"]),
                "fingerprint": fingerprint(chosen, digests(path for path, _ in chosen.files)),
            }
            pixels, truth = _decoded(chosen, network.spec)
            with tqdm(total=passes(network, len(pixels)), unit="pass", disable=None) as bar:
                report = measure(network, pixels, truth, progress=bar.update)
        version.refresh_from_db(fields=["metrics"])  # which may have changed in these minutes
        version.metrics["robustness"] = found = {**facts, **report.to_json()}
        version.save(update_fields=["metrics"])
        if options["json"]:
            self.stdout.write(json.dumps({"model": str(version), **found}, ensure_ascii=False))
        else:
            for line in _lines(report):
                self.stdout.write(line)


def draw(data: LabelledFiles, limit: int) -> LabelledFiles:
    """Not more than that many of the images, the same every time."""
    if len(data.files) <= limit:
        return data
    files = random.Random(0).sample(data.files, limit)  # noqa: S311 - no secret
    return LabelledFiles(data.labels, tuple(files))


def _decoded(data: LabelledFiles, spec: ModelSpec) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, crop, crop, 3), and the indices of their labels (n,)."""

    def pixels(path: Path) -> np.ndarray:
        return preprocess_exactly(path.read_bytes(), spec)

    files = [path for path, _ in data.files]
    with tqdm(total=len(files), unit="image", disable=None, desc="decoding") as bar:
        decoded = np.stack([image for _, image in decode_each(files, pixels, bar.update)])
    return decoded, np.array([label for _, label in data.files])


def _lines(report: RobustnessReport) -> Iterator[str]:
    """Tables of accuracies for people."""
    yield f"{percent(report.clean)} of {report.images} images are answered rightly as they are."
    yield ""
    severities = [f"SEVERITY {severity}" for severity in SEVERITIES]
    yield from _table("CORRUPTION", severities, report.corruptions)
    yield f"{percent(report.corrupted)} in the mean."
    if report.attacks:
        yield ""
        epsilons = [f"{255 * epsilon:g}/255" for epsilon in report.epsilons]
        yield from _table("ATTACK", epsilons, report.attacks)


def _table(title: str, headings: Sequence[str], rows: Accuracies) -> Iterator[str]:
    cells = [(name, *map(percent, accuracies)) for name, accuracies in rows.items()]
    return table([(title, *headings), *cells], numeric=range(1, len(headings) + 1))
