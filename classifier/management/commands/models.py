"""`manage.py models list | install | activate`: which classifiers there are, and which serves."""

import argparse
import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandParser

from classifier.management.installing import install_bundle
from classifier.management.refusals import (
    NOTHING_INSTALLED,
    find_version,
    refusals_told,
    refuse,
)
from classifier.management.table import table
from classifier.ml.bundle import Bundle, read_bundle, shipped_bundles
from classifier.models import ModelVersion

HEADINGS = ("MODEL", "ARCHITECTURE", "LABELS", "ACCURACY", "SIZE", "")
NUMERIC = {2, 3, 4}


class Command(BaseCommand):
    help = "List, install or activate models."
    requires_system_checks = ()  # none of them is about this, and they take a second

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(required=True, metavar="list | install | activate")
        listing = verbs.add_parser("list", help="show the installed models")
        listing.add_argument("--json", action="store_true", help="print one JSON object a line")
        listing.set_defaults(verb=self._list)
        _add_install_arguments(installing := verbs.add_parser("install", help="add a model"))
        installing.set_defaults(verb=self._install)
        activating = verbs.add_parser("activate", help="let a model serve by default")
        activating.add_argument("model", metavar="NAME@VERSION")
        activating.set_defaults(verb=self._activate)

    def handle(self, *args: str, **options: Any) -> None:
        options.pop("verb")(**options)

    def _list(self, **options: Any) -> None:
        serving = ModelVersion.objects.filter(activated_at__isnull=False).by_precedence().first()
        rows = [_facts(version, serving) for version in ModelVersion.objects.all()]
        if options["json"]:
            for row in rows:
                self.stdout.write(json.dumps(row, ensure_ascii=False))
        elif rows:
            for line in table([HEADINGS, *map(_cells, rows)], NUMERIC):
                self.stdout.write(line)
        else:
            self.stdout.write(NOTHING_INSTALLED)

    def _install(self, **options: Any) -> None:
        known = set(ModelVersion.objects.values_list("pk", flat=True))
        with refusals_told(), _ready_to_install(options) as bundle:
            named = replace(bundle, name=options["installed_name"] or bundle.name)
            version = install_bundle(named, activate=options["activate"])
        is_new = version.pk not in known
        self.stdout.write(f"Installed {version}." if is_new else f"{version} is there already.")
        if options["activate"]:
            self.stdout.write(f"{version} serves now.")
        elif is_new:
            self.stdout.write(f"To let it serve: manage.py models activate {version}")

    def _activate(self, **options: Any) -> None:
        version = find_version(options["model"])
        ModelVersion.objects.filter(pk=version.pk).activate()
        self.stdout.write(f"{version} serves now.")


def _add_install_arguments(parser: argparse.ArgumentParser) -> None:
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


def _ready_to_install(options: dict[str, Any]) -> AbstractContextManager[Bundle]:
    shipped = shipped_bundles()
    if options["weights"] is None:
        for needless in ("labels", "architecture"):
            if options[needless]:
                raise refuse(f"--{needless} needs --weights FILE beside it.")
        if options["name"] in shipped:
            return nullcontext(read_bundle(shipped[options["name"]]))
    # What follows loads torch, which the models that ship with the project do not need: where the
    # web runs, it may not even be installed.
    from classifier.management.sources import Wanted, ready_to_install

    names = ("name", "weights", "labels", "architecture")
    return ready_to_install(Wanted(**{n: options[n] for n in names}), options["timeout"])


def _facts(version: ModelVersion, serving: ModelVersion | None) -> dict[str, Any]:
    return {
        "model": str(version),
        "architecture": version.architecture,
        "labels": len(version.labels),
        "accuracy": version.metrics.get("top1"),
        "accuracy_dataset": version.metrics.get("dataset"),
        "bytes": _size(version),
        "serving": version == serving,
        "engine": version.engine,
        "sha256": version.sha256,
        "source": version.source,
        "licence": version.licence,
    }


def _size(version: ModelVersion) -> int | None:
    try:
        return int(version.weights.size)
    except FileNotFoundError:
        return None


def _cells(facts: dict[str, Any]) -> tuple[str, ...]:
    accuracy, size = facts["accuracy"], facts["bytes"]
    return (
        facts["model"],
        facts["architecture"],
        str(facts["labels"]),
        "-" if accuracy is None else f"{accuracy:.1%}".replace("%", " %"),
        "missing" if size is None else f"{size / 1e6:.1f} MB",
        "serves" if facts["serving"] else "",
    )
