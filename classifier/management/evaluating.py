"""Judge a model by labelled images: what `train`, `evaluate` and the worker's evaluations share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from classifier.actions.evaluations import Mistake, NewReport
from classifier.actions.install import file_on_disk
from classifier.management.networks import network_of
from classifier.management.numbers import percent
from classifier.management.training import dataset_name
from classifier.ml.calibration import Calibration
from classifier.ml.datasets import LabelledFiles, fingerprint
from classifier.ml.engines import load_engine
from classifier.ml.evaluation import Answers, answer, latency, logits_of
from classifier.ml.network import Network
from classifier.ml.report import Report, report
from classifier.ml.variant import REFERENCE, Variant
from classifier.ml.verification import Outside, tell_apart
from classifier.models import ModelVersion

SHOWN_MISTAKES = 24
DIGITS_OF_DIGEST = 16  # by which an answer knows its image
ONE_SHOWN = 20  # labels in a table on the terminal


@dataclass(frozen=True)
class Found:
    """What judging a model gave."""

    report: Report
    answers: Answers
    labels: tuple[str, ...]
    digest_of: Mapping[Path, str]
    fingerprint: str
    variant: str
    latency_seconds: float
    outside: Outside | None = None

    def kept(self, data: Path, location: Path | None = None) -> NewReport:
        """What an evaluation keeps of it."""
        guesses = self.answers.probabilities.argmax(axis=1)
        scores = self.answers.probabilities.max(axis=1)
        rows = list(zip(self.answers.files, self.answers.truth, guesses, scores, strict=True))
        wrong = sorted((row for row in rows if row[1] != row[2]), key=lambda row: -row[3])
        return NewReport(
            dataset=dataset_name(data),
            location=str((location or data).absolute()),
            fingerprint=self.fingerprint,
            variant=self.variant,
            report={
                **self.report.to_json(),
                "latency_seconds": self.latency_seconds,
                "outside": self.outside and self.outside.to_json(),
            },
            answers=[
                [
                    self.digest_of[path][:DIGITS_OF_DIGEST],
                    self.labels[truth],
                    self.labels[guess],
                    round(float(score), 4),
                ]
                for path, truth, guess, score in rows
            ],
            mistakes=[
                Mistake(path, self.labels[truth], self.labels[guess], round(float(score), 4))
                for path, truth, guess, score in wrong[:SHOWN_MISTAKES]
            ],
        )


@contextmanager
def computed(version: ModelVersion) -> Iterator[tuple[Network, Variant]]:
    """A version's network and the way that it serves by, their files on this machine."""
    with network_of(version) as network, ExitStack() as stack:
        serving = version.variant
        if serving is None:
            yield network, network.reference
            return
        file = stack.enter_context(file_on_disk(serving.file)) if serving.file else None
        yield network, Variant(serving.engine, serving.precision, serving.recipe, file)


def judge(
    network: Network,
    data: LabelledFiles,
    digest_of: Mapping[Path, str],
    after_image: Callable[[], object],
    variant: Variant = REFERENCE,
    calibration: Calibration | None = None,
    outside: Sequence[Path] = (),
) -> Found:
    """Classify all images of a data set, and measure by the scores that are served.

    Images of other things, if any, say how well those are told apart.

    Raises:
        InvalidDataset: if a file cannot be read, or a label is not the model's.
    """
    engine = load_engine(network, variant)
    answers = answer(data, engine, network.spec, after_image)
    if calibration:
        answers = replace(answers, temperature=calibration.temperature)
    others = logits_of(outside, engine, network.spec, after_image) if outside else None
    return Found(
        report(answers.truth, answers.probabilities, network.spec.labels),
        answers,
        network.spec.labels,
        digest_of,
        fingerprint(data, digest_of),
        str(variant),
        latency(engine, network.spec),
        None if others is None else tell_apart(answers.logits, others, calibration),
    )


def metrics_of(found: Found, data: Path) -> dict[str, Any]:
    """What a version tells of its accuracy, wherever it is listed."""
    shown = found.report
    return {
        "dataset": f"{shown.images} held-out images of {dataset_name(data)}",
        "top1": round(shown.accuracy.value, 4),
        "top1_interval": [round(shown.accuracy.low, 4), round(shown.accuracy.high, 4)],
        "macro_f1": round(shown.macro.f1, 4),
        "per_class": {one.label: round(one.recall, 4) for one in shown.per_class if one.support},
    }


def tell_outside(found: Outside, say: Callable[[str], object]) -> None:
    """How well other things are told apart, for the terminal."""
    say(
        f"{found.images} images of other things are told from these "
        f"with an AUROC of {found.auroc:.2f}."
    )
    if found.unfamiliar_inside is not None and found.unfamiliar_outside is not None:
        say(
            f"It finds {percent(found.unfamiliar_outside)} of them unfamiliar, "
            f"and {percent(found.unfamiliar_inside)} of these."
        )


def tell(found: Report, say: Callable[[str], object]) -> None:
    """The measures for the terminal."""
    known = [one for one in found.per_class if one.support]
    if len(known) <= ONE_SHOWN:
        say(f"  {'':<20} {'precision':>9} {'recall':>9} {'F1':>9} {'images':>7}")
        for one in known:
            shares = " ".join(f"{percent(v):>9}" for v in (one.precision, one.recall, one.f1))
            say(f"  {one.label:<20} {shares} {one.support:>7}")
    low, high = percent(found.accuracy.low), percent(found.accuracy.high)
    say(
        f"{percent(found.accuracy.value)} of {found.images} held-out images "
        f"({low} to {high}); macro F1 {percent(found.macro.f1)}, "
        f"calibration error {percent(found.calibration_error)}."
    )
