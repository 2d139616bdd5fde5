"""Agreement with the reference, and the gate that it has to pass."""

from dataclasses import replace

import numpy as np
import pytest

from classifier.ml.agreement import Agreement, Interval, compare, paired_loss
from classifier.ml.gate import judge


def scores(*best, score=0.9):
    """Probabilities (n, 3) whose best labels are these."""
    rest = (1 - score) / 2
    rows = np.full((len(best), 3), rest, np.float32)
    rows[np.arange(len(best)), best] = score
    return rows


def test_what_answers_the_same_agrees_wholly():
    found = compare(scores(0, 1, 2), scores(0, 1, 2))
    assert (found.agreement, found.agreement_confident, found.max_difference) == (1, 1, 0)
    assert (found.accuracy, found.accuracy_loss) == (None, None)


def test_images_of_which_the_reference_is_sure_count_by_themselves():
    reference = np.concatenate([scores(0, 1), scores(2, 2, score=0.4)])
    found = compare(reference, scores(0, 1, 2, 1))
    assert (found.images, found.confident) == (4, 2)
    assert (found.agreement, found.agreement_confident) == (0.75, 1)
    assert found.max_difference == pytest.approx(0.6)


def test_a_score_of_exactly_a_half_is_sure():
    assert compare(scores(0, score=0.5), scores(0)).confident == 1


def test_where_the_reference_is_never_sure_there_is_no_share():
    assert compare(scores(0, score=0.4), scores(0)).agreement_confident is None


def test_with_labels_the_loss_is_the_reference_less_the_other():
    found = compare(scores(0, 1, 2, 2), scores(0, 0, 2, 0), np.array([0, 1, 2, 0]))
    assert found.accuracy == 0.75
    assert found.accuracy_loss.value == 0  # one lost, one won
    assert found.accuracy_loss.low < 0 < found.accuracy_loss.high


def test_the_interval_is_that_of_paired_differences():
    """20 lost of 1,000: a mean of 0.02 whose standard error is 0.0044."""
    before = np.ones(1000, bool)
    after = np.arange(1000) >= 20
    loss = paired_loss(before, after)
    assert loss.value == 0.02
    assert loss.low == pytest.approx(0.02 - 1.96 * 0.0044, abs=0.001)
    assert loss.high == pytest.approx(0.02 + 1.96 * 0.0044, abs=0.001)
    assert loss == paired_loss(before, after)  # nothing is left to chance


def test_where_nothing_changes_the_interval_is_a_point():
    right = np.array([True, False, True])
    assert paired_loss(right, right) == Interval(0, 0, 0)


UNLABELLED = Agreement(100, 1.0, 100, 1.0, 0.01)
LABELLED = replace(UNLABELLED, accuracy=0.9, accuracy_loss=Interval(0, 0, 0))


def losing(value):
    return replace(LABELLED, accuracy_loss=Interval(value, value - 1, value + 1))


@pytest.mark.parametrize(
    ("found", "passes"),
    [
        (losing(0.005), True),
        (losing(5 / 1000 + 1e-12), True),  # what is left of binary fractions
        (losing(0.006), False),
        (losing(-0.01), True),
        (replace(losing(0), agreement=0.5, agreement_confident=0.5), True),  # the labels decide
        (replace(losing(0), images=50), True),
        (replace(losing(0), images=49), False),
        (UNLABELLED, True),
        (replace(UNLABELLED, images=49), False),
        (replace(UNLABELLED, agreement=0.93), True),
        (replace(UNLABELLED, agreement=0.929), False),
        (replace(UNLABELLED, agreement_confident=0.99), True),
        (replace(UNLABELLED, agreement_confident=0.989), False),
        (replace(UNLABELLED, confident=20), True),
        (replace(UNLABELLED, confident=19), False),
        (replace(UNLABELLED, confident=0, agreement_confident=None), False),
    ],
)
def test_the_gate_at_its_borders(found, passes):
    verdict = judge(found)
    assert verdict.passed is passes, verdict.reason


def test_the_gate_says_by_how_much_something_failed():
    assert (
        judge(losing(0.0123)).reason == "loses 1.23 points of accuracy; at most 0.50 points may be"
    )
    assert "12 images are too few" in judge(replace(UNLABELLED, images=12)).reason
    assert (
        "98.0 % of the images that" in judge(replace(UNLABELLED, agreement_confident=0.98)).reason
    )
