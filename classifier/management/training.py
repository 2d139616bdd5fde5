"""From the options of `manage.py train` to a trainer, and from that to a model and its record."""

import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from classifier.management.networks import network_of
from classifier.management.refusals import find_version
from classifier.ml.architectures import COMPACT_CNN
from classifier.ml.augmentation import AUGMENTATIONS
from classifier.ml.bundle import WEIGHTS, Bundle
from classifier.ml.datasets import LabelledFiles
from classifier.ml.distillation import Distillation, Teacher
from classifier.ml.recipe import InvalidRecipe, Recipe, Start
from classifier.ml.spec import ModelSpec
from classifier.ml.splitting import Shares, Split, class_counts, split
from classifier.ml.training import Trainer, training_device
from classifier.ml.training_data import TrainingData, load_images
from classifier.ml.weights import write_weights
from classifier.models import ModelVersion

ROOT = Path(__file__).resolve().parents[2]
EPOCHS = {"scratch": 40, "on": 12}  # from scratch, and on from a trained network
RATES = {"scratch": 0.4, "on": 0.08}  # of learning, for a batch of LARGEST
SMALLEST, LARGEST = 16, 512  # batches
BATCHES = 20  # of an epoch at least, where there are images enough
PATIENCE = 10


@dataclass(frozen=True)
class Origins:
    """The installed versions that a training learns from."""

    start: ModelVersion | None = None
    teacher: ModelVersion | None = None


def origins(options: dict[str, Any]) -> Origins:
    """Find the versions that the options name.

    Raises:
        CommandError: if there is no such version.
    """
    return Origins(*(find_version(options[n]) if options[n] else None for n in ("from", "teacher")))


def read_split(options: dict[str, Any]) -> Split:
    """The data set in parts; `InvalidDataset` says what is wrong with it."""
    shares = Shares(test=options["held_out"], validation=options["validation"])
    return split(options["data"], shares, options["seed"])


def recipe_of(options: dict[str, Any], data: Split, known: Origins) -> Recipe:
    """Fill in what the options leave open.

    Raises:
        InvalidRecipe: if a figure is out of range, or two options contradict each other.
    """
    kind = "on" if known.start else "scratch"
    batch_size = options["batch_size"] or _batch_size(len(data.train.files))
    epochs = options["epochs"] or EPOCHS[kind]
    frozen = min(options["frozen_epochs"], epochs)
    return Recipe(
        architecture=_architecture(options["arch"], known.start),
        image_size=options["image_size"] or (known.start.spec["crop"] if known.start else 32),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=options["lr"] or round(RATES[kind] * batch_size / LARGEST, 4),
        seed=options["seed"],
        balanced=options["class_weights"] == "balanced",
        patience=options["patience"] if data.validation.files else 0,
        mixup=options["mixup"],
        adversarial=options["adversarial"],
        augmentation=replace(AUGMENTATIONS[options["augmentation"]], noise=options["noise"]),
        distillation=Distillation(
            known.teacher.sha256, options["temperature"], options["teacher_weight"]
        )
        if known.teacher
        else None,
        start=Start(known.start.sha256, frozen) if known.start else None,
    )


def spec_of(options: dict[str, Any], data: Split, recipe: Recipe, known: Origins) -> ModelSpec:
    """How the model will see images; their mean and deviation are not known yet.

    Raises:
        InvalidSpec: if a value is out of range.
    """
    from_start = known.start.spec if known.start else {}
    return ModelSpec(
        labels=data.labels,
        resize=options["resize"] or recipe.image_size,
        crop=recipe.image_size,
        interpolation=options["interpolation"] or from_start.get("interpolation", "bilinear"),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        framing=options["framing"] or from_start.get("framing", "photo"),
    )


def trainer_of(
    recipe: Recipe,
    spec: ModelSpec,
    data: Split,
    known: Origins,
    work: Path,
    after_image: Callable[[], object],
) -> Trainer:
    """Decode the images, and have the network ready that learns from them.

    Those that it is judged by are decoded, too: what is wrong with them is to be known now.

    Raises:
        InvalidDataset: naming the files that cannot be read.
    """
    parts = (data.train, data.validation, data.test)
    everything = LabelledFiles(data.labels, tuple(item for part in parts for item in part.files))
    sizes = [len(part.files) for part in parts]
    decoded, labelled = load_images(everything, spec, work, after_image)
    fitted, watched, _ = decoded.split(sizes)
    targets, watched_targets, _ = labelled.split(sizes)
    images = TrainingData(
        data.labels, fitted, targets, watched, watched_targets, identity(data, spec)
    )
    teacher = None
    if known.teacher:
        with network_of(known.teacher) as network:
            teacher = Teacher(network, data.labels, training_device())
    if known.start:
        with network_of(known.start) as network:
            return Trainer(recipe, images, teacher, network)
    return Trainer(recipe, images, teacher)


def identity(data: Split, spec: ModelSpec) -> str:
    """By which a run that is taken up knows its images: which they are, for what, and seen how."""
    return f"{data.division} {spec.interpolation} {spec.framing}"


def export(trainer: Trainer, spec: ModelSpec, options: dict[str, Any], folder: Path) -> Bundle:
    """Write the weights; the facts are still to be written, once the model is judged."""
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(trainer.weights(), folder / WEIGHTS)
    return Bundle(
        name=options["name"],
        architecture=trainer.recipe.architecture,
        weights=folder / WEIGHTS,
        spec=replace(spec, mean=trainer.mean, std=trainer.std),
        source=_source(options),
        licence=options["licence"],
    )


def record(trainer: Trainer, data: Split, options: dict[str, Any]) -> dict[str, Any]:
    """How the model came about, for whoever wants to know it or to repeat it."""
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    return {
        "dataset": dataset_name(options["data"]),
        "fingerprint": data.fingerprint,
        "images": {name: len(part.files) for name, part in parts.items()},
        "classes": dict(zip(data.labels, class_counts(data.train), strict=True)),
        "shares": {"test": options["held_out"], "validation": options["validation"]},
        "from": options["from"] or "",
        "teacher": options["teacher"] or "",
        "recipe": asdict(trainer.recipe),
        "epochs": [asdict(report) for report in trainer.reports],
        "seconds": round(sum(report.seconds for report in trainer.reports), 1),
        "device": str(trainer.device),
        "revision": revision(),
    }


def dataset_name(data: Path) -> str:
    """What to call a data set: the folder's name, or the CSV file's."""
    return data.absolute().name


def revision() -> str:
    """The commit of this checkout; empty where it is none."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - whichever git there is
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip()


def _architecture(asked: str | None, start: ModelVersion | None) -> str:
    if start is None:
        return asked or COMPACT_CNN
    if asked not in {None, start.architecture}:
        raise InvalidRecipe(f"{start} is a {start.architecture}; leave --arch {asked} out")
    return start.architecture


def _batch_size(images: int) -> int:
    """A power of two with which an epoch has some steps."""
    size = LARGEST
    while size > SMALLEST and images < BATCHES * size:
        size //= 2
    return size


def _source(options: dict[str, Any]) -> str:
    name = dataset_name(options["data"])
    start = f"trained on from {options['from']}" if options["from"] else "trained from scratch"
    taught = f", taught by {options['teacher']}" if options["teacher"] else ""
    return f"{start} on {name}{taught}"
