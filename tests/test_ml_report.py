"""The measures of a classifier, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from classifier.ml.report import report

LABELS = tuple("abcdefgh")


@pytest.fixture(scope="module")
def answers():
    """500 answers, most of them right, to images of all labels but the last."""
    generator = np.random.default_rng(7)
    truth = generator.integers(0, 7, 500)
    logits = generator.normal(size=(500, 8)) + 2.2 * np.eye(8)[truth]
    powers = np.exp(logits)
    return truth, powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def found(answers):
    return report(*answers, LABELS)


def test_accuracy_and_top_five_are_the_usual_ones(answers, found):
    truth, probabilities = answers
    assert found.accuracy.value == accuracy_score(truth, probabilities.argmax(axis=1))
    top5 = top_k_accuracy_score(truth, probabilities, k=5, labels=range(8))
    assert found.top5.value == pytest.approx(top5)
    assert found.log_loss == pytest.approx(log_loss(truth, probabilities, labels=range(8)))


def test_every_label_has_its_precision_recall_and_f1(answers, found):
    truth, guess = answers[0], answers[1].argmax(axis=1)
    expected = precision_recall_fscore_support(truth, guess, labels=range(8), zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [getattr(one, name) for one in found.per_class] == pytest.approx(list(values))


@pytest.mark.parametrize("how", ["macro", "weighted"])
def test_means_are_over_the_labels_that_are_there(answers, found, how):
    truth, guess = answers[0], answers[1].argmax(axis=1)
    expected = precision_recall_fscore_support(
        truth, guess, labels=range(7), average=how, zero_division=0
    )
    means = getattr(found, how)
    assert (means.precision, means.recall, means.f1) == pytest.approx(expected[:3])


def test_the_confusion_matrix_is_kept_without_its_zeros(answers, found):
    truth, guess = answers[0], answers[1].argmax(axis=1)
    expected = confusion_matrix(truth, guess, labels=range(8))
    kept = np.zeros((8, 8), int)
    for right, answered, count in found.confusion:
        kept[right, answered] = count
    assert (kept == expected).all()
    assert all(count for *_, count in found.confusion)


def test_intervals_hold_the_figure_and_are_as_wide_as_chance_makes_them(found):
    for interval in (found.accuracy, found.top5, found.macro_f1):
        assert interval.low < interval.value < interval.high
    share = found.accuracy.value
    deviation = (share * (1 - share) / 500) ** 0.5
    assert found.accuracy.high - found.accuracy.low == pytest.approx(3.92 * deviation, rel=0.1)


def test_few_labels_have_no_top_five():
    assert report(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), ("a", "b")).top5 is None


def test_a_report_is_the_same_each_time(answers, found):
    assert report(*answers, LABELS) == found
