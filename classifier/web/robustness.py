"""What `manage.py robustness` found, as plots: accuracy under corruptions, and under attack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from classifier.web.curves import Plot, plot

CORRUPTIONS = {
    "noise": gettext_lazy("noise"),
    "blur": gettext_lazy("blur"),
    "jpeg": gettext_lazy("JPEG compression"),
    "brightness": gettext_lazy("brightness"),
    "rotation": gettext_lazy("rotation"),
}


@dataclass(frozen=True)
class Line:
    """Accuracies, shares, as a row of a table."""

    name: str
    accuracies: list[float]


@dataclass(frozen=True)
class Robustness:
    images: int
    dataset: str
    clean: float
    corrupted: float  # the mean
    plot: Plot | None
    corruptions: list[Line]
    attack_plot: Plot | None
    levels: list[str]  # of attacks, in grey levels
    attacks: list[Line]


def shown(found: Mapping[str, Any] | None) -> Robustness | None:
    """What a page shows of the report in a version's metrics; None where there is none."""
    if not found:
        return None
    names = {name: str(CORRUPTIONS.get(name, name)) for name in found["corruptions"]}
    attacks = {attack: _name(attack) for attack in found["attacks"]}
    levels = [255 * epsilon for epsilon in found["epsilons"]]
    by_severity = _steps(found["clean"], found["corruptions"])
    return Robustness(
        found["images"],
        found["dataset"],
        found["clean"],
        found["corrupted"],
        plot(by_severity, names, range(len(by_severity))),
        [Line(names[name], row) for name, row in found["corruptions"].items()],
        plot(_steps(found["clean"], found["attacks"]), attacks, [0, *levels]),
        [f"{level:g}" for level in levels],
        [Line(attacks[attack], row) for attack, row in found["attacks"].items()],
    )


def _steps(clean: float, rows: Mapping[str, list[float]]) -> list[dict[str, float]]:
    """What each row begins with, and then its accuracies, one step after the other."""
    steps = zip(*rows.values(), strict=True)
    return [dict.fromkeys(rows, clean), *(dict(zip(rows, step, strict=True)) for step in steps)]


def _name(attack: str) -> str:
    """Both are told by what they do; nobody outside the field knows the abbreviations."""
    return {"fgsm": _("one step (FGSM)"), "pgd": _("many steps (PGD)")}.get(attack, attack)
