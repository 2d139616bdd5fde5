"""`manage.py models VERB`: which classifiers there are, which serves, and new ones in and out."""

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandParser

from classifier.actions.promote import activate
from classifier.management.arguments import (
    add_export_arguments,
    add_import_arguments,
    add_install_arguments,
)
from classifier.management.installing import install_bundle
from classifier.management.numbers import percent
from classifier.management.promoting import add_reason, add_verbs
from classifier.management.refusals import (
    NOTHING_INSTALLED,
    find_version,
    refusals_told,
    refuse,
)
from classifier.management.table import table
from classifier.ml.bundle import Bundle, read_bundle, shipped_bundles
from classifier.models import ModelVersion
from classifier.queries.catalogue import serving_version

HEADINGS = ("MODEL", "ARCHITECTURE", "LABELS", "ACCURACY", "SIZE", "")
NUMERIC = {2, 3, 4}


class Command(BaseCommand):
    help = "List, install, import, export, activate or promote models."
    requires_system_checks = ()  # none of them is about this, and they take a second

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(
            required=True,
            metavar="list | install | import | export | activate | "
            "promote | rollback | challenge | withdraw | history",
        )
        listing = verbs.add_parser("list", help="show the installed models")
        listing.add_argument("--json", action="store_true", help="print one JSON object a line")
        listing.set_defaults(verb=self._list)
        add_install_arguments(installing := verbs.add_parser("install", help="add a known model"))
        installing.set_defaults(verb=self._install)
        add_import_arguments(importing := verbs.add_parser("import", help="add one of your own"))
        importing.set_defaults(verb=self._import)
        add_export_arguments(exporting := verbs.add_parser("export", help="write one to a folder"))
        exporting.set_defaults(verb=self._export)
        activating = verbs.add_parser("activate", help="let a model serve by default")
        activating.add_argument("model", metavar="NAME@VERSION")
        add_reason(activating)
        activating.set_defaults(verb=self._activate)
        add_verbs(verbs, lambda verb: lambda **options: verb(self.stdout.write, **options))

    def handle(self, *args: str, **options: Any) -> None:
        options.pop("verb")(**options)

    def _list(self, **options: Any) -> None:
        serving = serving_version()
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
        with refusals_told(), _ready_to_install(options) as bundle:
            self._keep(replace(bundle, name=options["installed_name"] or bundle.name), options)

    def _import(self, **options: Any) -> None:
        try:
            from classifier.management.importing import ready_to_import  # loads torch
        except ImportError as error:  # as where only the web runs
            raise refuse(
                f"{error.name} is not installed here; the worker's machine has it"
            ) from error
        with refusals_told(), ready_to_import(options) as (bundle, files):
            if files:
                self.stdout.write(f"{', '.join(files)} beside it told of the model.")
            if options["bundle"]:
                bundle.copy_to(options["bundle"])
                self.stdout.write(f"Wrote {options['bundle']}.")
            else:
                self._keep(bundle, options)

    def _export(self, **options: Any) -> None:
        from classifier.management.exporting import export_version  # loads torch

        version = find_version(options["model"])
        default = Path(f"{version.name}-{version.version}-{options['format']}")
        folder = options["to"] or default
        with refusals_told():
            export_version(version, options["format"], folder)
        self.stdout.write(f"Wrote {folder}. To try it: python {folder / 'predict.py'} PICTURE")

    def _keep(self, bundle: Bundle, options: dict[str, Any]) -> None:
        known = set(ModelVersion.objects.values_list("pk", flat=True))
        version = install_bundle(bundle, activate=options["activate"])
        is_new = version.pk not in known
        self.stdout.write(f"Installed {version}." if is_new else f"{version} is there already.")
        if options["activate"]:
            self.stdout.write(f"{version} serves now.")
        elif is_new:
            self.stdout.write(f"To let it serve: manage.py models activate {version}")

    def _activate(self, **options: Any) -> None:
        version = find_version(options["model"])
        activate(version, reason=options["reason"])
        self.stdout.write(f"{version} serves now.")


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
        "alias": version.alias or None,
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
        "-" if accuracy is None else percent(accuracy),
        "missing" if size is None else f"{size / 1e6:.1f} MB",
        "serves" if facts["serving"] else facts["alias"] or "",
    )
