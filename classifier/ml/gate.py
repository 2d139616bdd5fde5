"""Which ways to compute a network are near enough to the reference to serve."""

from dataclasses import dataclass

from classifier.ml.agreement import CONFIDENT, Agreement


@dataclass(frozen=True)
class Gate:
    """The thresholds; shares from 0 to 1."""

    fewest_images: int = 50
    fewest_confident: int = 20  # of them, where there are no labels
    most_accuracy_loss: float = 0.005  # with labels
    least_agreement: float = 0.93  # without
    least_agreement_confident: float = 0.99


@dataclass(frozen=True)
class Verdict:
    """Whether a variant may serve, and in a few words why."""

    passed: bool
    reason: str


GATE = Gate()
REFERENCE_PASSES = Verdict(True, "the reference")


def judge(found: Agreement, gate: Gate = GATE) -> Verdict:
    """Judge a variant by its accuracy where the images have labels, else by its agreement.

    It is the mean itself that is compared with the threshold, not an end of its interval: a few
    hundred images could never rule out a loss of half a point.
    """
    if found.images < gate.fewest_images:
        return Verdict(
            False, f"{found.images} images are too few to judge by; {gate.fewest_images} are needed"
        )
    if found.accuracy_loss is not None:
        return _by_accuracy(found.accuracy_loss.value, gate)
    return _by_agreement(found, gate)


def _by_accuracy(loss: float, gate: Gate) -> Verdict:
    most = gate.most_accuracy_loss
    if loss > most + ROUNDING:
        return Verdict(False, f"loses {_points(loss)} of accuracy; at most {_points(most)} may be")
    said = f"loses {_points(loss)}" if loss > 0 else "loses nothing"
    return Verdict(True, f"{said} of accuracy")


def _by_agreement(found: Agreement, gate: Gate) -> Verdict:
    if found.agreement_confident is None or found.confident < gate.fewest_confident:
        return Verdict(
            False,
            f"the reference is sure (score {CONFIDENT:g} or more) of only {found.confident} images;"
            f" {gate.fewest_confident} are needed",
        )
    if found.agreement_confident < gate.least_agreement_confident - ROUNDING:
        return Verdict(
            False,
            f"agrees on {_percent(found.agreement_confident)} of the images that the reference is "
            f"sure of; {_percent(gate.least_agreement_confident)} are needed",
        )
    if found.agreement < gate.least_agreement - ROUNDING:
        return Verdict(
            False,
            f"agrees on {_percent(found.agreement)} of all images; "
            f"{_percent(gate.least_agreement)} are needed",
        )
    return Verdict(True, f"agrees on {_percent(found.agreement)} of all images")


ROUNDING = 1e-9  # 5 lost of 1,000 are no more than 0.005, whatever binary fractions make of it


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:.2f} points"
