"""`manage.py evaluate MODEL --data FOLDER`: how good a model is on labelled images."""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from classifier.actions.calibrate import calibrate
from classifier.actions.evaluations import (
    NewReport,
    keep_evaluation,
    note_progress,
    settle_evaluation,
)
from classifier.management.calibrating import calibration_of, fit_and_verify, tell_calibration
from classifier.management.evaluating import Found, computed, judge, tell, tell_outside
from classifier.management.numbers import share
from classifier.management.refusals import find_version, refusals_told
from classifier.management.reviewed import REVIEWED, store_reviewed
from classifier.ml.calibration import MOST_LABELS, STRANGERS
from classifier.ml.datasets import LabelledFiles, digests, read_all, read_pictures
from classifier.models import ModelVersion

NOTED = 50  # images between two notes of how far it is


class Command(BaseCommand):
    help = "Measure how good a model is on labelled images, and keep the report."
    requires_system_checks = ()  # none of them is about this, and they take a second

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", metavar="MODEL[@VERSION]")
        images = parser.add_mutually_exclusive_group(required=True)
        images.add_argument(
            "--data",
            type=Path,
            metavar="FOLDER",
            help="holds <label>/*.jpg, or test/<label> of train and test; or a CSV: file,label",
        )
        images.add_argument(
            "--reviewed", action="store_true", help="the pictures that staff have reviewed here"
        )
        parser.add_argument(
            "--calibrate",
            action="store_true",
            help="let half of the images, drawn at random, make scores honest; judge by the rest",
        )
        parser.add_argument(
            "--coverage",
            type=share,
            default=0.9,
            help="how often the set of labels shall hold the truth; 0.9",
        )
        parser.add_argument(
            "--most-labels",
            type=int,
            choices=range(1, MOST_LABELS + 1),
            default=1,
            metavar="N",
            help=f"in a set, up to {MOST_LABELS}; a larger set abstains; 1",
        )
        parser.add_argument(
            "--unfamiliar",
            type=share,
            default=STRANGERS,
            metavar="SHARE",
            help=f"of images like these that may be taken for unfamiliar; {STRANGERS:g}",
        )
        parser.add_argument(
            "--outside",
            type=Path,
            metavar="FOLDER",
            help="pictures of other things, without labels: how well they are told apart",
        )
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument("--lease", type=uuid.UUID, help="of the evaluation that asks for it")

    def handle(self, *args: str, **options: Any) -> None:
        version = find_version(options["model"])
        with refusals_told(), TemporaryDirectory() as folder:
            data = store_reviewed(version, Path(folder)) if options["reviewed"] else None
            name = Path(REVIEWED) if data else options["data"]
            outside = read_pictures(options["outside"]) if options["outside"] else []
            found = self._judge(version, data or read_all(name), outside, options["lease"])
            kept = self._keep(version, found, name, options)
            calibration = self._calibrate(version, found, options) if options["calibrate"] else None
        if options["json"]:
            told = {
                "model": str(version),
                "variant": kept.variant,
                "dataset": kept.dataset,
                "fingerprint": kept.fingerprint,
                **kept.report,
                "calibration": calibration,
            }
            self.stdout.write(json.dumps(told, ensure_ascii=False))

    def _judge(
        self,
        version: ModelVersion,
        data: LabelledFiles,
        outside: list[Path],
        lease: uuid.UUID | None,
    ) -> Found:
        digest_of = digests(path for path, _ in data.files)
        calibration = calibration_of(version)
        with (
            computed(version) as (network, variant),
            tqdm(total=len(data.files) + len(outside), unit="image", disable=None) as bar,
        ):
            note = _noting(bar, lease)
            return judge(network, data, digest_of, note, variant, calibration, outside)

    def _keep(
        self, version: ModelVersion, found: Found, data: Path, options: dict[str, Any]
    ) -> NewReport:
        kept = found.kept(data)
        if options["reviewed"]:  # people's own: no copy is to outlive them, and they lie nowhere
            kept = replace(kept, mistakes=(), location="")
        if options["lease"]:
            settle_evaluation(options["lease"], kept)
        else:
            keep_evaluation(version, kept)
        if not options["json"]:
            tell(found.report, self.stdout.write)
            if found.outside:
                tell_outside(found.outside, self.stdout.write)
        return kept

    def _calibrate(
        self, version: ModelVersion, found: Found, options: dict[str, Any]
    ) -> dict[str, Any]:
        asked = (options[name] for name in ("coverage", "most_labels", "unfamiliar"))
        fitted, verified = fit_and_verify(found.answers, *asked)
        known = {"variant": found.variant, "verified": verified.to_json()}
        calibration = {**fitted.to_json(), **known}
        calibrate(version, calibration)
        if not options["json"]:
            tell_calibration(fitted, verified, self.stdout.write)
        return calibration


def _noting(bar: "tqdm[Any]", lease: uuid.UUID | None) -> Callable[[], object]:
    """Move the bar, and tell the evaluation's row now and then."""

    def note() -> None:
        bar.update()
        if lease and bar.n % NOTED == 0 and not note_progress(lease, bar.n, bar.total):
            raise CommandError("The evaluation was taken away, or deleted.", returncode=2)

    return note
