"""`manage.py train NAME --data FOLDER`: a classifier of one's own, from scratch."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug
from tqdm import tqdm

from classifier.actions.install import file_on_disk
from classifier.management.installing import install_bundle
from classifier.management.refusals import find_version, refusals_told
from classifier.ml.architectures import COMPACT_CNN
from classifier.ml.bundle import WEIGHTS, Bundle
from classifier.ml.datasets import (
    InvalidDataset,
    LabelledFiles,
    list_labelled_files,
    load_square_images,
)
from classifier.ml.distillation import Distillation, Teacher
from classifier.ml.engines import load_engine
from classifier.ml.evaluation import Accuracy, measure_accuracy
from classifier.ml.network import Network
from classifier.ml.spec import INTERPOLATIONS, ModelSpec
from classifier.ml.training import Recipe, Trainer, TrainingData, training_device
from classifier.ml.weights import check_sha256, write_weights
from classifier.models import ModelVersion

DEFAULTS = {field.name: field.default for field in fields(Recipe)}


class Command(BaseCommand):
    help = "Train a classifier from scratch on folders of labelled images, and install it."
    requires_system_checks = ()  # none of them is about this

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what to call the model; a slug")
        parser.add_argument(
            "--data",
            type=Path,
            required=True,
            metavar="FOLDER",
            help="holds train/<label>/*.jpg and, held out for measuring, test/<label>/*.jpg",
        )
        parser.add_argument("--arch", default=COMPACT_CNN, help="compact_cnn, or torchvision's")
        parser.add_argument("--epochs", type=int, default=40)
        parser.add_argument("--seed", type=int, default=DEFAULTS["seed"])
        parser.add_argument("--batch-size", type=int, default=DEFAULTS["batch_size"])
        parser.add_argument("--lr", type=float, default=DEFAULTS["learning_rate"])
        parser.add_argument(
            "--image-size", type=int, default=DEFAULTS["image_size"], help="side in pixels"
        )
        parser.add_argument("--resize", type=int, help="the spec's resize; default: the image size")
        parser.add_argument("--interpolation", choices=INTERPOLATIONS, default="bilinear")
        parser.add_argument(
            "--teacher",
            metavar="MODEL[@V]",
            help="an installed model of the same labels, whose answers are learned too",
        )
        parser.add_argument(
            "--temperature", type=float, default=4.0, help="how much its answers are softened"
        )
        parser.add_argument(
            "--teacher-weight", type=float, default=0.5, help="of its answers against the labels"
        )
        parser.add_argument(
            "--work",
            type=Path,
            metavar="FOLDER",
            help="keeps the checkpoint, from which the same command goes on after a kill; "
            "default: training/NAME in the data folder",
        )
        parser.add_argument(
            "--bundle", type=Path, metavar="FOLDER", help="write the model there, install nothing"
        )
        parser.add_argument("--licence", default="", help="of the weights, for the record")
        parser.add_argument("--activate", action="store_true", help="let the model serve then")

    def handle(self, *args: str, **options: Any) -> None:
        with refusals_told():
            validate_slug(options["name"])  # now, not after hours
        work = options["work"] or Path(settings.DATA_DIR) / "training" / options["name"]
        work.mkdir(parents=True, exist_ok=True)
        checkpoint = work / "checkpoint.pt"
        with refusals_told():
            taught_by = find_version(options["teacher"]) if options["teacher"] else None
            held_out = list_labelled_files(options["data"] / "test")
            trainer = self._trainer(options, held_out, checkpoint, taught_by)
            self._train(trainer, checkpoint)
            bundle = _export(trainer, options, options["bundle"] or work)
            accuracy = self._measure(bundle, held_out)
            bundle = replace(bundle, metrics=_metrics(accuracy, options["data"]))
            bundle.write_facts()
            self._report(accuracy)
            if options["bundle"]:
                self.stdout.write(f"Wrote {bundle.weights.parent}.")
            else:
                version = install_bundle(bundle, activate=options["activate"])
                self.stdout.write(f"Installed {version}.")
        checkpoint.unlink()  # what it was for is done; the next run starts anew

    def _trainer(
        self,
        options: dict[str, Any],
        held_out: LabelledFiles,
        checkpoint: Path,
        taught_by: ModelVersion | None,
    ) -> Trainer:
        fitted = list_labelled_files(options["data"] / "train")
        if fitted.labels != held_out.labels:
            raise InvalidDataset("the folders in train and in test must have the same names")
        recipe = _recipe(options, taught_by)
        teacher = _teacher(taught_by, fitted.labels) if taught_by else None
        self.stdout.write(f"Reading {len(fitted.files) + len(held_out.files)} images.")
        size = options["image_size"]
        data = TrainingData(
            fitted.labels, *load_square_images(fitted, size), *load_square_images(held_out, size)
        )
        trainer = Trainer(recipe, data, teacher)
        if checkpoint.exists():
            trainer.load_checkpoint(checkpoint)
            self.stdout.write(f"Going on after epoch {trainer.epoch}; {checkpoint} is the state.")
        return trainer

    def _train(self, trainer: Trainer, checkpoint: Path) -> None:
        epochs, steps = trainer.recipe.epochs, trainer.steps_per_epoch
        with tqdm(
            total=epochs * steps, initial=trainer.epoch * steps, unit="batch", disable=None
        ) as bar:
            try:
                for report in trainer.run(after_step=bar.update):
                    trainer.save_checkpoint(checkpoint)
                    line = f"epoch {report.epoch} of {epochs}: loss {report.loss:.3f}, "
                    with tqdm.external_write_mode():
                        self.stdout.write(f"{line}{_percent(report.accuracy)} right on held-out")
            except KeyboardInterrupt as interrupt:
                raise CommandError(
                    f"Stopped after epoch {trainer.epoch}; the same command goes on from there.",
                    returncode=130,
                ) from interrupt

    def _measure(self, bundle: Bundle, held_out: LabelledFiles) -> Accuracy:
        """What the stored float16 weights are worth, through the engine that will serve them."""
        engine = load_engine(bundle.network)
        with tqdm(total=len(held_out.files), unit="image", disable=None) as bar:
            return measure_accuracy(held_out, engine, bundle.spec, after_image=bar.update)

    def _report(self, accuracy: Accuracy) -> None:
        for label, share in accuracy.per_class.items():
            self.stdout.write(f"  {label:<20} {_percent(share):>7}")
        self.stdout.write(f"{_percent(accuracy.overall)} of {accuracy.images} held-out images.")


def _teacher(version: ModelVersion, labels: tuple[str, ...]) -> Teacher:
    with file_on_disk(version.weights) as weights:
        check_sha256(weights, version.sha256)
        network = Network(version.architecture, weights, ModelSpec.from_json(version.spec))
        return Teacher(network, labels, training_device())


def _recipe(options: dict[str, Any], taught_by: ModelVersion | None) -> Recipe:
    return Recipe(
        architecture=options["arch"],
        image_size=options["image_size"],
        epochs=options["epochs"],
        batch_size=options["batch_size"],
        learning_rate=options["lr"],
        seed=options["seed"],
        distillation=Distillation(
            taught_by.sha256, options["temperature"], options["teacher_weight"]
        )
        if taught_by
        else None,
    )


def _export(trainer: Trainer, options: dict[str, Any], folder: Path) -> Bundle:
    """Write the weights; the facts are still to be written, once the accuracy is measured."""
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(trainer.weights(), folder / WEIGHTS)
    size = options["image_size"]
    spec = ModelSpec(
        labels=trainer.data.labels,
        resize=options["resize"] or size,
        crop=size,
        interpolation=options["interpolation"],
        mean=trainer.data.mean,
        std=trainer.data.std,
    )
    return Bundle(
        name=options["name"],
        architecture=options["arch"],
        weights=folder / WEIGHTS,
        spec=spec,
        source=f"trained from scratch on {options['data'].absolute().name}{_taught(options)}",
        licence=options["licence"],
    )


def _taught(options: dict[str, Any]) -> str:
    return f", taught by {options['teacher']}" if options["teacher"] else ""


def _metrics(accuracy: Accuracy, data: Path) -> dict[str, Any]:
    return {
        "dataset": f"{accuracy.images} held-out images of {data.absolute().name}",
        "top1": round(accuracy.overall, 4),
        "per_class": {label: round(share, 4) for label, share in accuracy.per_class.items()},
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
