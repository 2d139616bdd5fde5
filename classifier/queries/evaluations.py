"""What evaluations say, put in the order in which one reads it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from classifier.models import Evaluation, ModelVersion
from classifier.queries.comparing import Comparison, compare

MOST_LABELS = 20  # in a confusion matrix that a person can still read
SHOWN_CONFUSIONS = 10
HEATS = 9  # shades of a cell
COMPARED = 10  # other evaluations of the same images


@dataclass(frozen=True)
class Cell:
    count: int
    heat: int  # 0 is nothing, HEATS all of the row
    is_right: bool


@dataclass(frozen=True)
class Row:
    label: str
    cells: list[Cell]


@dataclass(frozen=True)
class Matrix:
    rows: list[Row]
    is_part: bool  # the labels that most wrong answers are about


@dataclass(frozen=True)
class Confusion:
    """One label that was taken for another."""

    truth: str
    guess: str
    count: int
    share: float  # of the images that show the first


@dataclass(frozen=True)
class Beside:
    """Another version on the same images, and whether this one is better."""

    evaluation: Evaluation
    comparison: Comparison


def evaluations_of(version: ModelVersion) -> list[Evaluation]:
    """The newest first."""
    return list(version.evaluations.light().order_by("-id"))


def matrix(report: Mapping[str, Any]) -> Matrix:
    """The confusion matrix, a row for each right label; the most confused, if it were too large."""
    names, totals, wrong = report["labels"], Counter[int](), Counter[int]()
    for truth, guess, count in report["confusion"]:
        totals[truth] += count
        if truth != guess:
            wrong[truth] += count
            wrong[guess] += count
    known = {label for truth, guess, _ in report["confusion"] for label in (truth, guess)}
    is_part = len(known) > MOST_LABELS
    labels = sorted(dict(wrong.most_common(MOST_LABELS)) if is_part else known)
    counts = {(truth, guess): count for truth, guess, count in report["confusion"]}
    rows = [
        Row(
            names[truth],
            [
                _cell(counts.get((truth, guess), 0), truth == guess, totals[truth])
                for guess in labels
            ],
        )
        for truth in labels
    ]
    return Matrix(rows, is_part)


def confusions(report: Mapping[str, Any]) -> list[Confusion]:
    """What was most often taken for something else."""
    labels, per_class = report["labels"], report["per_class"]
    wrong = [pair for pair in report["confusion"] if pair[0] != pair[1]]
    wrong.sort(key=lambda pair: -pair[2])
    return [
        Confusion(labels[truth], labels[guess], count, count / per_class[truth]["support"])
        for truth, guess, count in wrong[:SHOWN_CONFUSIONS]
    ]


def beside(evaluation: Evaluation) -> list[Beside]:
    """Other versions on the very same images, the newest evaluation of each."""
    if not evaluation.fingerprint:
        return []
    others = Evaluation.objects.finished().filter(fingerprint=evaluation.fingerprint)
    others = others.exclude(model_version=evaluation.model_version).order_by("-id")
    latest: dict[int, UUID] = {}
    for version, key in others.values_list("model_version_id", "id"):
        latest.setdefault(version, key)
    chosen = others.filter(id__in=list(latest.values())[:COMPARED])
    compared = ((one, compare(one, evaluation)) for one in chosen.select_related("model_version"))
    return [Beside(other, comparison) for other, comparison in compared if comparison]


def datasets() -> list[str]:
    """The data sets that workers can read: folders and CSV files in the folder for them."""
    folder = Path(settings.DATASETS_DIR)
    if not folder.is_dir():
        return []
    return sorted(
        path.name
        for path in folder.iterdir()
        if not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() == ".csv")
    )


def _cell(count: int, is_right: bool, total: int) -> Cell:
    heat = min(HEATS, -(-HEATS * count // total)) if count else 0
    return Cell(count, heat, is_right)
