"""Two versions on the same images: which is better, and whether that may be chance."""

import pytest
from scipy.stats import binomtest

from classifier.models import Evaluation
from classifier.queries.comparing import Comparison, compare


def evaluation(*right):
    """Answers to images that are numbered; the numbers given are answered rightly."""
    answers = [[str(n), "cat", "cat" if n in right else "dog", 0.9] for n in range(10)]
    return Evaluation(answers=answers)


@pytest.mark.parametrize(("one", "other"), [(0, 0), (1, 9), (12, 3), (40, 41), (900, 1100)])
def test_the_p_value_is_that_of_the_exact_test(one, other):
    expected = binomtest(one, one + other).pvalue if one + other else 1.0
    assert Comparison(5000, one, other).p_value == pytest.approx(expected, rel=1e-9)


def test_only_images_that_one_alone_has_right_count():
    found = compare(evaluation(0, 1, 2), evaluation(1, 2, 3, 4, 5))
    assert (found.images, found.only_first, found.only_second) == (10, 1, 3)
    assert found.gain == pytest.approx(0.2)
    assert found.low < 0 < found.high
    assert not found.is_significant


def test_a_difference_that_chance_hardly_gives_is_significant():
    found = Comparison(1000, 10, 60)
    assert found.is_significant
    assert 0 < found.low < found.gain < found.high


def test_only_images_that_both_have_are_compared():
    one, other = evaluation(1), evaluation(1, 2)
    other.answers = [*other.answers[:3], ["elsewhere", "cat", "cat", 0.5]]
    assert compare(one, other).images == 3
    other.answers = other.answers[3:]
    assert compare(one, other) is None
