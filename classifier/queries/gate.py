"""What a version has to show before it becomes its name's champion.

Everything was measured before: by `evaluate`, `robustness` and their pages. What was not measured,
or not as the version is computed now, has not passed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from classifier.models import Alias, Evaluation, ModelVersion
from classifier.queries.comparing import compare

NAMED = 5  # labels without images, of perhaps a thousand


@dataclass(frozen=True)
class Line:
    """One thing that is asked for: what was found, and what would do.

    `check` is one of accuracy, recall, calibration, latency and robustness. Accuracy is a gain over
    the champion, latency is in seconds, the others are shares.
    """

    check: str
    passed: bool
    limit: float
    found: float | None = None  # None: nothing was measured that would tell
    low: float | None = None  # of the gain's 95 % interval
    high: float | None = None
    images: int = 0  # for the accuracy, those of both; for the robustness, those of the report
    of: str = ""  # the label of the lowest recall, labels without images, or the champion

    @property
    def title(self) -> str:
        """What it is about, in the reader's language."""
        return {
            "accuracy": _("Accuracy"),
            "recall": _("Recall"),
            "calibration": _("Calibration"),
            "latency": _("Latency"),
            "robustness": _("Robustness"),
        }[self.check]

    @property
    def text(self) -> str:
        """What was found and what is asked for, in the reader's language."""
        return _text(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Line":
        """The line as it was kept."""
        return cls(**kept)

    def to_json(self) -> dict[str, Any]:
        """The line as the history of an alias keeps it."""
        return asdict(self)


def gate(version: ModelVersion) -> list[Line]:
    """Hold a version against its name's champion and the limits in the settings."""
    champion = ModelVersion.objects.of_alias(version.name, Alias.CHAMPION)
    return list(_lines(version, champion))


def _lines(version: ModelVersion, champion: ModelVersion | None) -> Iterator[Line]:
    evaluation, other = _evaluations(version, champion)
    yield _accuracy(evaluation, other, champion)
    report = evaluation.figures if evaluation else {}
    yield _recall(report.get("per_class", ()))
    yield _at_most("calibration", _calibration_error(version, report), settings.GATE_CALIBRATION)
    yield _at_most("latency", report.get("latency_seconds"), settings.GATE_LATENCY_SECONDS)
    yield _robustness(version.metrics.get("robustness"))


def _evaluations(
    version: ModelVersion, champion: ModelVersion | None
) -> tuple[Evaluation | None, Evaluation | None]:
    """The newest evaluation of what serves, if possible of images that the champion saw too."""
    own = version.evaluations.finished().filter(variant=version.computed_by).order_by("-id")
    if champion is None:
        return own.first(), None
    theirs = champion.evaluations.finished().order_by("-id")
    shared = own.filter(fingerprint__in=theirs.values("fingerprint")).first()
    if shared is None:  # perhaps one data set has grown since, as that of the reviewed pictures
        return own.first(), theirs.first()
    return shared, theirs.filter(fingerprint=shared.fingerprint).first()


def _accuracy(
    own: Evaluation | None, other: Evaluation | None, champion: ModelVersion | None
) -> Line:
    limit = -settings.GATE_ACCURACY_LOSS
    if own is None or champion is None:  # not measured, or nothing to fall behind
        return Line("accuracy", own is not None, limit)
    comparison = compare(other, own) if other else None
    if comparison is None:
        return Line("accuracy", False, limit, of=str(champion))
    return Line(
        "accuracy",
        comparison.high >= limit and comparison.images >= settings.GATE_IMAGES,
        limit,
        comparison.gain,
        comparison.low,
        comparison.high,
        comparison.images,
        str(champion),
    )


def _recall(rows: Sequence[Mapping[str, Any]]) -> Line:
    """The lowest of all labels; one that no image shows has not been measured."""
    unseen = [row["label"] for row in rows if not row["support"]]
    if unseen:
        more = ", …" if len(unseen) > NAMED else ""
        return Line("recall", False, settings.GATE_RECALL, of=", ".join(unseen[:NAMED]) + more)
    lowest, label = min(((row["recall"], row["label"]) for row in rows), default=(None, ""))
    passed = lowest is not None and lowest >= settings.GATE_RECALL
    return Line("recall", passed, settings.GATE_RECALL, lowest, of=label)


def _calibration_error(version: ModelVersion, report: dict[str, Any]) -> float | None:
    """As its answers are served: after the calibration, where it has one."""
    error: float | None = report.get("calibration_error")
    if version.calibration:
        verified = version.calibration.get("verified", {})
        by = version.calibration.get("variant", f"{version.engine} fp32")  # of those that ship
        error = verified.get("ece_after") if by == version.computed_by else None
    return error


def _robustness(report: Mapping[str, Any] | None) -> Line:
    if report is None:
        return Line("robustness", False, settings.GATE_ROBUSTNESS)
    found, images = report["corrupted"], report["images"]
    passed = found >= settings.GATE_ROBUSTNESS and images >= settings.GATE_IMAGES
    return Line("robustness", passed, settings.GATE_ROBUSTNESS, found, images=images)


def _at_most(check: str, found: float | None, limit: float) -> Line:
    return Line(check, found is not None and found <= limit, limit, found)


def _text(line: Line) -> str:
    if line.check == "accuracy":
        return _text_of_accuracy(line)
    if line.found is None and line.of:
        return _("None of the images that it was evaluated on shows %(labels)s.") % {
            "labels": line.of
        }
    if line.found is None and line.check == "robustness":
        return _("It was not measured: `manage.py robustness` does that.")
    if line.found is None and line.check == "calibration":
        return _(
            "It was not measured as it serves now: `manage.py evaluate` does that, with "
            "`--calibrate` where it is calibrated."
        )
    if line.found is None:
        return _("It was not measured as it serves now: `manage.py evaluate` does that.")
    if line.check == "robustness" and line.images < settings.GATE_IMAGES:
        return _("%(images)d images are too few to measure it by; %(fewest)d are asked") % {
            "images": line.images,
            "fewest": settings.GATE_IMAGES,
        }
    if line.check == "latency":
        return _("%(found)d ms for one image alone; %(limit)d ms at most") % {
            "found": round(line.found * 1000),
            "limit": round(line.limit * 1000),
        }
    text = {
        "recall": _("%(found)s of %(label)s, the lowest; %(limit)s at least"),
        "calibration": _("%(found)s error; %(limit)s at most"),
        "robustness": _("%(found)s right under corruptions, in the mean; %(limit)s at least"),
    }[line.check]
    return text % {
        "found": _percent(line.found),
        "limit": _percent(line.limit),
        "label": line.of,
    }


def _text_of_accuracy(line: Line) -> str:
    if not line.of:
        return (
            _("There is no champion to fall behind.")
            if line.passed
            else _("It was not measured as it serves now: `manage.py evaluate` does that.")
        )
    if line.found is None or line.low is None or line.high is None:
        return _(
            "No images were answered by both it and %(champion)s: evaluate both on the same data."
        ) % {"champion": line.of}
    if line.images < settings.GATE_IMAGES:
        return _(
            "%(images)d images are too few to compare with %(champion)s; %(fewest)d are asked"
        ) % {
            "images": line.images,
            "champion": line.of,
            "fewest": settings.GATE_IMAGES,
        }
    return _("%(gain)s points over %(champion)s (%(low)s to %(high)s) on %(images)d images") % {
        "gain": _points(line.found),
        "low": _points(line.low),
        "high": _points(line.high),
        "champion": line.of,
        "images": line.images,
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "\N{MINUS SIGN}")
