"""Fit a calibration on one half of what was evaluated, and verify it on the other."""

from collections.abc import Callable

import numpy as np

from classifier.management.numbers import percent
from classifier.ml.calibration import Calibration, fit
from classifier.ml.evaluation import Answers
from classifier.ml.verification import Verification, verify
from classifier.models import ModelVersion


def calibration_of(version: ModelVersion) -> Calibration | None:
    """How the outputs of a version are read where it is calibrated.

    Raises:
        InvalidCalibration: if what it keeps is none.
    """
    return Calibration.from_json(version.calibration) if version.calibration else None


def fit_and_verify(
    answers: Answers, coverage: float, most_labels: int, unfamiliar: float
) -> tuple[Calibration, Verification]:
    """The halves are drawn at random, the same ones every time.

    Raises:
        InvalidCalibration: if the images do not suffice.
    """
    drawn = np.random.default_rng(0).permutation(len(answers.truth))
    fitting, verifying = np.array_split(drawn, 2)
    logits, truth = answers.logits[fitting], answers.truth[fitting]
    fitted = fit(logits, truth, coverage, most_labels, unfamiliar)
    return fitted, verify(answers.logits[verifying], answers.truth[verifying], fitted)


def tell_calibration(
    fitted: Calibration, verified: Verification, say: Callable[[str], object]
) -> None:
    """What it brings, for the terminal."""
    say(
        f"Temperature {fitted.temperature:.2f}: the calibration error falls from "
        f"{percent(verified.ece_before)} to {percent(verified.ece_after)} on the other half."
    )
    say(
        f"Sets of labels hold the truth for {percent(verified.coverage)} of {verified.images} "
        f"images ({percent(verified.promised)} promised, {percent(verified.coverage_low)} to "
        f"{percent(verified.coverage_high)} by chance), with {verified.mean_labels:.2f} labels "
        "in the mean."
    )
    say(
        f"It abstains from {percent(verified.ambiguous + verified.unfamiliar)}: "
        f"{percent(verified.ambiguous)} could be several things, "
        f"{percent(verified.unfamiliar)} are unlike what it knows."
    )
