"""How numbers are written on the pages."""

import pytest

from classifier.templatetags.sightline import duration, milliseconds, percent, points, significant


@pytest.mark.parametrize(
    ("score", "written"),
    [
        (0.9721, "97.2 %"),
        (1.0, "100.0 %"),
        (0.99999, "99.9 %"),
        (0.0, "0.0 %"),
        (0.0002, "<0.1 %"),
        (0.814, "81.4 %"),
        (0.98764, "98.8 %"),
    ],
)
def test_a_score_has_one_decimal_and_no_false_certainty(score: float, written: str) -> None:
    assert percent(score).replace("\N{NO-BREAK SPACE}", " ") == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0384, "38 ms"),
        (1.24, "1.2 s"),
        (125.0, "2 min 5 s"),
        (None, "–"),
        (-0.001, "0 ms"),
        (0.0079, "8 ms"),
    ],
)
def test_a_duration_is_in_the_unit_that_one_reads(seconds: float | None, written: str) -> None:
    assert duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1102.4, "1,102"),
        (257.6, "258"),
        (68.249, "68.2"),
        (5.0, "5.00"),
        (0.2134, "0.213"),
        (0.00002, "0"),
        (0, "0"),
        (None, "–"),
    ],
)
def test_a_figure_has_three_digits_that_count(value: float | None, written: str) -> None:
    assert significant(value) == written


def test_milliseconds_are_figures_too() -> None:
    assert [milliseconds(0.00105), milliseconds(0.0384), milliseconds(None)] == [
        "1.05",
        "38.4",
        "–",
    ]


@pytest.mark.parametrize(
    ("share", "written"), [(0.0018, "0.18"), (-0.0006, "−0.06"), (-0.000001, "0.00")]
)
def test_a_difference_of_shares_is_in_points(share: float, written: str) -> None:
    assert points(share) == written
