"""What a network's outputs are worth: honest scores, sets of labels, and strangers told apart.

All of it is fitted on labelled images that the network was not trained on; `verification` holds it
against others again.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from classifier.ml.conformal import PENALTY, fewest_images, rank, threshold, usual_size
from classifier.ml.probabilities import softmax
from classifier.ml.refusal import Refusal

FEWEST_IMAGES = 50  # with fewer, chance moves the coverage by more than eight points either way
STRANGERS = 0.05  # share of images like those fitted on that is taken for unfamiliar
MOST_LABELS = 10  # of a set that are kept; one that is larger says nothing more, and is in doubt
TEMPERATURES = (0.05, 20.0)  # beyond, there is nothing left of the order of the scores to save
HALVINGS = 20  # of that range, after which the temperature is known to five digits
AMBIGUOUS, UNFAMILIAR = "ambiguous", "unfamiliar"
BETWEEN = "be between 0 and 1, neither of them included"


class InvalidCalibration(Refusal):
    """A value is missing or out of range, or the images do not suffice; the message says which."""


@dataclass(frozen=True)
class Calibration:
    """How a network's logits are to be read.

    Raises:
        InvalidCalibration: if a value is out of range.
    """

    temperature: float  # by which logits are divided before the softmax; above 1 lowers scores
    coverage: float  # share of the images whose label set holds the truth, as promised
    threshold: float  # `conformal.threshold`, with the next two
    penalty: float
    free_labels: int
    most_labels: int  # in a set; a larger one says that the image is ambiguous
    least_familiar: float | None  # `familiarity` below which an image is; None: it is not asked

    def __post_init__(self) -> None:
        for name in ("temperature", "coverage", "threshold", "penalty"):
            _require(_is_number(getattr(self, name)), name, "be a number")
        for name in ("free_labels", "most_labels"):
            _require(isinstance(getattr(self, name), int), name, "be a whole number")
            _require(getattr(self, name) > 0, name, "be above 0")
        _require(self.most_labels <= MOST_LABELS, "most_labels", f"be at most {MOST_LABELS}")
        _require(self.temperature > 0, "temperature", "be above 0")
        _require(0 < self.coverage < 1, "coverage", BETWEEN)
        _require(self.threshold >= 0, "threshold", "be 0 or more")
        _require(self.penalty >= 0, "penalty", "be 0 or more")
        known = self.least_familiar is None or _is_number(self.least_familiar)
        _require(known, "least_familiar", "be a number or null")

    def to_json(self) -> dict[str, Any]:
        """The calibration as `ModelVersion.calibration` keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> "Calibration":
        """Read what `to_json` wrote; what else is known of the calibration may stand beside it.

        Raises:
            InvalidCalibration: if it is anything else.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(values, Mapping) or not values.keys() >= {*names}:
            raise InvalidCalibration(f"a calibration has the fields {', '.join(names)}")
        return cls(**{name: values[name] for name in names})


@dataclass(frozen=True)
class Judgement:
    """What to make of the answers to n images."""

    probabilities: np.ndarray  # calibrated (n, classes)
    label_sets: list[tuple[int, ...]]  # indices, best first; none is empty
    familiarity: np.ndarray  # (n,)
    doubts: list[str]  # AMBIGUOUS, UNFAMILIAR or nothing; what is both is unfamiliar


def fit(
    logits: np.ndarray,
    truth: np.ndarray,
    coverage: float = 0.9,
    most_labels: int = 1,
    unfamiliar: float = STRANGERS,
) -> Calibration:
    """Calibrate by a network's logits (n, classes) for n images and the right labels' indices (n,).

    As many labels are free of penalty as hold the truth with that coverage where every image gets
    as many. They and the temperature are fitted to the same images as the threshold: two numbers,
    which move the coverage by far less than the draw of the images does. An image that needs more
    than `most_labels` for the promise is ambiguous. What is less familiar than all of them but a
    share, `unfamiliar`, is taken for unfamiliar.

    Raises:
        InvalidCalibration: if the coverage or that share is not between 0 and 1, the images are
            too few, a label or a logit makes no sense, or `most_labels` is not 1 to `MOST_LABELS`.
    """
    if not 0 < coverage < 1:
        raise InvalidCalibration(f"the coverage must {BETWEEN}, not {coverage:g}")
    if not 0 < unfamiliar < 1:
        raise InvalidCalibration(
            f"the share of unfamiliar images must {BETWEEN}, not {unfamiliar:g}"
        )
    logits = checked(logits, truth)
    needed = max(FEWEST_IMAGES, fewest_images(coverage))
    if len(logits) < needed:
        raise InvalidCalibration(
            f"{len(logits)} images are too few to calibrate on; to promise that "
            f"{100 * coverage:g} % of the label sets hold the truth takes {needed}"
        )
    temperature = best_temperature(logits, truth)
    of_truth = logits[np.arange(len(truth)), truth]
    free = usual_size((logits > of_truth[:, None]).sum(axis=1), coverage)
    costs = rank(softmax(logits / temperature), PENALTY, free).cost_of(truth)
    return Calibration(
        temperature=temperature,
        coverage=coverage,
        threshold=threshold(costs, coverage),
        penalty=PENALTY,
        free_labels=free,
        most_labels=most_labels,
        least_familiar=float(np.quantile(familiarity(logits), unfamiliar)),
    )


def best_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature at which logits (n, classes) give the truth (n,) the greatest likelihood.

    Temperature scaling (Guo and others, "On Calibration of Modern Neural Networks", 2017). One
    image in n + 1 is taken to be labelled at random: of answers that are all right, the likeliest
    temperature would be 0 otherwise.
    """
    n = len(logits)
    of_truth = (n * logits[np.arange(n), truth].mean() + logits.mean()) / (n + 1)
    low, high = map(math.log, TEMPERATURES)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        expected = (softmax(logits / math.exp(middle)) * logits).sum(axis=1).mean()
        # The loss is convex in 1 / T, and this difference is its slope.
        low, high = (middle, high) if expected > of_truth else (low, middle)
    return math.exp((low + high) / 2)


def familiarity(logits: np.ndarray) -> np.ndarray:
    """How much images (n,) look like those trained on, by logits (n, classes): more is more.

    The negative energy, log sum exp of the logits, at temperature 1 (Liu and others, "Energy-based
    Out-of-distribution Detection", 2020).
    """
    top = logits.max(axis=1)
    energy: np.ndarray = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return energy


def judge(logits: np.ndarray, calibration: Calibration) -> Judgement:
    """Read logits (n, classes). What is said of an image does not depend on the others."""
    logits = np.asarray(logits, np.float64)
    probabilities = softmax(logits / calibration.temperature)
    ranked = rank(probabilities, calibration.penalty, calibration.free_labels)
    sizes = ranked.sizes(calibration.threshold)
    familiar = familiarity(logits)
    least = -math.inf if calibration.least_familiar is None else calibration.least_familiar
    doubts = np.where(sizes > calibration.most_labels, AMBIGUOUS, "")
    return Judgement(
        probabilities=probabilities,
        label_sets=[
            tuple(labels[:size].tolist()) for labels, size in zip(ranked.labels, sizes, strict=True)
        ],
        familiarity=familiar,
        doubts=np.where(familiar < least, UNFAMILIAR, doubts).tolist(),
    )


def checked(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Logits (n, classes) in double precision.

    Raises:
        InvalidCalibration: if there is none, or they and the right labels (n,) do not fit together.
    """
    logits = np.asarray(logits, np.float64)
    if not len(logits) or logits.ndim != 2 or truth.shape != logits.shape[:1]:
        raise InvalidCalibration("there must be images, each with its logits and its right label")
    if not np.isfinite(logits).all():
        raise InvalidCalibration("some logits are no finite numbers; the network is broken")
    wrong = truth[(truth < 0) | (truth >= logits.shape[1])]
    if len(wrong):
        raise InvalidCalibration(
            f"a right label is {wrong[0]}, but the network's are 0 to {logits.shape[1] - 1}"
        )
    return logits


def _require(holds: bool, field: str, what: str) -> None:
    if not holds:
        raise InvalidCalibration(f"the calibration's field {field!r} must {what}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
