"""`manage.py train NAME --data FOLDER`: a classifier of one's own."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug
from tqdm import tqdm

from classifier.actions.evaluations import keep_evaluation
from classifier.management.evaluating import judge, metrics_of, tell
from classifier.management.installing import install_bundle
from classifier.management.numbers import percent, positive, share
from classifier.management.refusals import refusals_told
from classifier.management.training import (
    PATIENCE,
    export,
    origins,
    read_split,
    recipe_of,
    record,
    spec_of,
    trainer_of,
)
from classifier.ml.augmentation import AUGMENTATIONS
from classifier.ml.curves import Curves
from classifier.ml.recipe import Recipe
from classifier.ml.refusal import some
from classifier.ml.spec import FRAMINGS, INTERPOLATIONS, ModelSpec
from classifier.ml.splitting import Split, class_counts
from classifier.ml.training import Trainer

SPLIT, EVENTS = "split.csv", "events"


class Command(BaseCommand):
    help = "Train a classifier on labelled images, from scratch or on from an installed model."
    requires_system_checks = ()  # none of them is about this

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what to call the model; a slug")
        data = parser.add_argument_group("the images")
        data.add_argument(
            "--data",
            type=Path,
            required=True,
            metavar="FOLDER",
            help="holds <label>/*.jpg, or train/<label> and test/<label>; or a CSV: file,label",
        )
        data.add_argument("--held-out", type=share, default=0.2, help="share to judge by; 0.2")
        data.add_argument(
            "--validation", type=share, default=0.1, help="share that says when to stop; 0.1"
        )
        data.add_argument("--class-weights", choices=("balanced", "none"), default="balanced")
        data.add_argument("--augmentation", choices=AUGMENTATIONS, default="photos")
        data.add_argument(
            "--noise", type=share, default=0.0, metavar="DEVIATION", help="of half of them, as 0.1"
        )
        data.add_argument("--mixup", type=float, default=0.0, metavar="ALPHA", help="as 0.2; 0: no")

        network = parser.add_argument_group("the network")
        network.add_argument("--arch", help="compact_cnn (without --from), or torchvision's")
        network.add_argument("--from", metavar="MODEL[@V]", help="an installed model to go on from")
        network.add_argument("--image-size", type=positive, help="pixels; 32, or that of --from")
        network.add_argument("--resize", type=positive, help="the spec's; default: the image size")
        network.add_argument("--interpolation", choices=INTERPOLATIONS)
        network.add_argument("--framing", choices=FRAMINGS, help="ink: finds the writing first")

        recipe = parser.add_argument_group("the training")
        recipe.add_argument("--epochs", type=positive, help="40; 12 with --from")
        recipe.add_argument("--frozen-epochs", type=int, default=1, help="with --from; 1")
        recipe.add_argument("--patience", type=int, default=PATIENCE, help=f"epochs; {PATIENCE}")
        recipe.add_argument("--seed", type=int, default=0)
        recipe.add_argument("--batch-size", type=positive, help="default: by how many images")
        recipe.add_argument("--lr", type=float, help="default: by the size of the batch")
        recipe.add_argument("--teacher", metavar="MODEL[@V]", help="whose answers are learned too")
        recipe.add_argument("--temperature", type=float, default=4.0, help="softens them; 4")
        recipe.add_argument("--teacher-weight", type=float, default=0.5, help="0.5 of the loss")
        recipe.add_argument(
            "--adversarial", type=float, default=0.0, metavar="EPSILON", help="as 0.016; 0: no"
        )

        result = parser.add_argument_group("the result")
        result.add_argument(
            "--work",
            type=Path,
            metavar="FOLDER",
            help="keeps the split, the events for TensorBoard and the checkpoint, from which the "
            "same command goes on after a kill; default: training/NAME in the data folder",
        )
        result.add_argument(
            "--bundle", type=Path, metavar="FOLDER", help="write the model there, install nothing"
        )
        result.add_argument("--licence", default="", help="of the weights, for the record")
        result.add_argument("--activate", action="store_true", help="let the model serve then")

    def handle(self, *args: str, **options: Any) -> None:
        with refusals_told():
            validate_slug(options["name"])  # now, not after hours
            known = origins(options)
            data = read_split(options)
            recipe = recipe_of(options, data, known)
            spec = spec_of(options, data, recipe, known)
            work = options["work"] or Path(settings.DATA_DIR) / "training" / options["name"]
            work.mkdir(parents=True, exist_ok=True)
            data.write(work / SPLIT)
            self._tell_data(data, recipe)
            count = sum(len(part.files) for part in (data.train, data.validation, data.test))
            with tqdm(total=count, unit="image", disable=None, desc="decoding") as bar:
                trainer = trainer_of(recipe, spec, data, known, work, bar.update)
            self._train(trainer, work)
            self._finish(trainer, spec, data, options, work)
        for needless in (_checkpoint(work), *work.glob("images-*.npy")):
            needless.unlink()  # what it was for is done; the next run starts anew

    def _tell_data(self, data: Split, recipe: Recipe) -> None:
        if data.contradictory:
            self.stdout.write(
                f"{len(data.contradictory)} files are left out, since the same image is there "
                f"under another label: {some((path.name for path in data.contradictory), 4)}."
            )
        counts = sorted(zip(class_counts(data.train), data.labels, strict=True))
        (fewest, rare), (most, frequent) = counts[0], counts[-1]
        self.stdout.write(
            f"{len(data.train.files)} images to train on, {len(data.validation.files)} to watch, "
            f"{len(data.test.files)} to judge by; {len(data.labels)} labels: {some(data.labels)}."
        )
        if most > fewest:
            told = ", and all labels count alike" if recipe.balanced else ""
            self.stdout.write(f"{rare} is rarest ({fewest}), {frequent} is not ({most}){told}.")

    def _train(self, trainer: Trainer, work: Path) -> None:
        checkpoint = _checkpoint(work)
        if checkpoint.exists():
            trainer.load_checkpoint(checkpoint)
            self.stdout.write(f"Going on after epoch {trainer.epoch}; {checkpoint} is the state.")
        else:
            shutil.rmtree(work / EVENTS, ignore_errors=True)  # of a run that is over
        epochs, steps = trainer.recipe.epochs, trainer.steps_per_epoch
        with (
            Curves(work / EVENTS) as curves,
            tqdm(
                total=epochs * steps, initial=trainer.epoch * steps, unit="batch", disable=None
            ) as bar,
        ):
            try:
                for report in trainer.run(after_step=bar.update):
                    trainer.save_checkpoint(checkpoint)
                    curves.add(report)
                    line = f"epoch {report.epoch} of {epochs}: loss {report.loss:.3f}"
                    if report.accuracy is not None:
                        line += f", {percent(report.accuracy)} right on validation"
                    with tqdm.external_write_mode():
                        self.stdout.write(line)
            except KeyboardInterrupt as interrupt:
                raise CommandError(
                    f"Stopped after epoch {trainer.epoch}; the same command goes on from there.",
                    returncode=130,
                ) from interrupt
        if trainer.epoch < epochs:
            self.stdout.write(f"No better for {trainer.recipe.patience} epochs: that is enough.")

    def _finish(
        self, trainer: Trainer, spec: ModelSpec, data: Split, options: dict[str, Any], work: Path
    ) -> None:
        bundle = export(trainer, spec, options, work)
        with tqdm(total=len(data.test.files), unit="image", disable=None, desc="judging") as bar:
            found = judge(bundle.network, data.test, data.digest_of, bar.update)
        bundle = replace(
            bundle,
            metrics=metrics_of(found, options["data"]),
            training=record(trainer, data, options),
        )
        tell(found.report, self.stdout.write)
        if options["bundle"]:
            bundle.copy_to(options["bundle"])
            self.stdout.write(f"Wrote {options['bundle']}.")
            return
        bundle.write_facts()
        version = install_bundle(bundle, activate=options["activate"])
        keep_evaluation(version, found.kept(options["data"], work / SPLIT))
        self.stdout.write(f"Installed {version}.")


def _checkpoint(work: Path) -> Path:
    return work / "checkpoint.pt"
