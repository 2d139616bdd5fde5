"""`manage.py optimize MODEL`: find the fastest way to compute a model that answers the same."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from classifier.actions.variants import serve_by, serve_by_reference
from classifier.management.evidence import (
    Evidence,
    Pictures,
    decode,
    decode_training,
    pictures_in,
    stored_pictures,
)
from classifier.management.networks import network_of
from classifier.management.numbers import positive
from classifier.management.optimizing import Bench, Outcome, Plan, fastest
from classifier.management.receipts import HEADINGS, NUMERIC, cells, facts
from classifier.management.refusals import find_version, refusals_told, refuse, suggestion
from classifier.management.table import table
from classifier.ml.augmentation import Augmentation
from classifier.ml.engines import ENGINES, is_installed, share_cores
from classifier.ml.gate import GATE
from classifier.ml.machine import cores
from classifier.ml.network import Network
from classifier.ml.pruning import FineTuning, PrunedNetwork, fine_tune
from classifier.ml.spec import ModelSpec
from classifier.models import ModelVersion, Variant


class Command(BaseCommand):
    help = "Measure the ways to compute a model here, and serve by the fastest that is as good."
    requires_system_checks = ()  # none of them is about this, and they take a second

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", metavar="MODEL[@VERSION]")
        parser.add_argument(
            "--data",
            type=Path,
            metavar="FOLDER",
            help="images to judge by, best in a sub-folder for each label; or with train/<label> "
            "and test/<label>. Default: the images that were classified here",
        )
        parser.add_argument(
            "--limit", type=positive, default=1000, help="how many images to judge by; 1000"
        )
        parser.add_argument("--engines", metavar="E,…", help=f"of {', '.join(ENGINES)}; all")
        parser.add_argument(
            "--prune",
            type=float,
            metavar="SHARE",
            help="try the network without this share of its channels, too; --data must hold train/",
        )
        parser.add_argument(
            "--epochs",
            type=positive,
            default=FineTuning.epochs,
            help=f"of training after --prune; {FineTuning.epochs}",
        )
        parser.add_argument("--no-activate", action="store_true", help="change nothing that serves")
        parser.add_argument("--json", action="store_true", help="print one JSON object a line")

    def handle(self, *args: str, **options: Any) -> None:
        version = find_version(options["model"])
        engines = _engines(options["engines"])
        share_cores(cores())  # as workers do
        with refusals_told(), network_of(version) as network, TemporaryDirectory() as folder:
            pictures = _pictures(options, version)
            evidence = _decoded(pictures, network.spec, options["limit"])
            # What serves is not to change by what cannot be judged.
            options["no_activate"] |= len(evidence.measured) < GATE.fewest_images
            bench = Bench(version, network, evidence, replace_serving=not options["no_activate"])
            plans = bench.plans(engines, Path(folder))
            if options["prune"] is not None:
                pruned = _pruned(options, version, network, pictures, evidence, Path(folder))
                plans += bench.pruned_plans(pruned, engines)
            self._say(options, _about(evidence))
            outcomes = self._try_out(bench, plans, options)
        self._print(outcomes, options)
        self._activate(version, outcomes, options)

    def _try_out(self, bench: Bench, plans: list[Plan], options: dict[str, Any]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        with tqdm(total=len(plans), unit="variant", disable=None) as bar:
            try:
                for plan in plans:
                    bar.set_description(str(plan.variant))
                    outcomes.append(bench.try_out(plan))
                    bar.update()
            except KeyboardInterrupt as interrupt:
                bar.close()
                self._print(outcomes, options)
                raise CommandError(
                    f"Stopped. {len(outcomes)} of {len(plans)} variants are measured and kept; "
                    "none was activated.",
                    returncode=130,
                ) from interrupt
        return outcomes

    def _print(self, outcomes: list[Outcome], options: dict[str, Any]) -> None:
        if options["json"]:
            for outcome in outcomes:
                self.stdout.write(json.dumps(facts(outcome), ensure_ascii=False))
        elif outcomes:
            for line in table([HEADINGS, *map(cells, outcomes)], NUMERIC):
                self.stdout.write(line)

    def _activate(
        self, version: ModelVersion, outcomes: list[Outcome], options: dict[str, Any]
    ) -> None:
        best = fastest(outcomes)
        version.refresh_from_db(fields=["variant"])  # which may have been measured anew
        serving = version.variant
        tried = {outcome.name for outcome in outcomes}
        if serving and str(serving) not in tried and _speed(serving) >= best.speed:
            self._say(options, f"{version} is computed by {serving} as before, which is faster.")
            return
        reference = outcomes[0]
        ratio = best.speed / reference.speed
        told = f"{best.name}, {ratio:.1f} times as fast as {reference.name}"
        if options["no_activate"]:
            self._say(options, f"The fastest that passed: {told}. {version} serves as before.")
            return
        if best is reference or best.kept is None:
            serve_by_reference(version)
            self._say(options, f"{version} is computed by {reference.name}: nothing faster passed.")
        else:
            serve_by(best.kept)
            self._say(options, f"{version} is computed by {told}, from now on.")

    def _say(self, options: dict[str, Any], line: str) -> None:
        """For people; programs read the lines of JSON, and nothing else on stdout."""
        (self.stderr if options["json"] else self.stdout).write(line)


def _engines(given: str | None) -> list[str]:
    """Those of a list with commas; without one, all that are installed."""
    if given is None:
        return [name for name in ENGINES if is_installed(name)]
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if name not in ENGINES:
            hint = suggestion(name, ENGINES) or f" Known are {', '.join(ENGINES)}."
            raise refuse(f"There is no engine {name}.{hint}")
        if not is_installed(name):
            raise refuse(f"{name} is not installed here; see requirements/{name}.txt.")
    return names


def _pictures(options: dict[str, Any], version: ModelVersion) -> Pictures:
    if options["data"] is None:
        return stored_pictures(options["limit"])
    return pictures_in(options["data"], version.labels)


def _decoded(pictures: Pictures, spec: ModelSpec, limit: int) -> Evidence:
    with tqdm(unit="image", disable=None, desc="decoding") as bar:
        return decode(pictures, spec, limit, after_image=bar.update)


def _pruned(
    options: dict[str, Any],
    version: ModelVersion,
    network: Network,
    pictures: Pictures,
    evidence: Evidence,
    folder: Path,
) -> PrunedNetwork:
    with tqdm(unit="image", disable=None, desc="decoding") as bar:
        pixels, truth = decode_training(pictures, evidence, network.spec, bar.update)
    # What its pictures are, the training knew: digits, for one, are not to be mirrored.
    augmentation = version.training.get("recipe", {}).get("augmentation", {})

    def train(pruned: Any, whole: Any) -> None:  # networks, which only ml takes apart
        recipe = FineTuning(epochs=options["epochs"], augmentation=Augmentation(**augmentation))
        with tqdm(total=recipe.steps(len(pixels)), unit="batch", disable=None, leave=False) as bar:
            fine_tune(pruned, whole, pixels, truth, network.spec, recipe, after_step=bar.update)

    return PrunedNetwork(network, options["prune"], train, folder)


def _speed(variant: Variant) -> float:
    """Images a second, when it was measured."""
    return float(variant.measured.get("images_per_second", 0))


def _about(evidence: Evidence) -> str:
    labels = "with" if evidence.truth is not None else "without"
    return (
        f"Judging by {len(evidence.measured)} images {labels} labels ({evidence.source}); "
        f"{len(evidence.calibration)} others calibrate int8."
    )
