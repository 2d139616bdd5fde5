"""How numbers are written on the pages."""

import pytest

from classifier.templatetags.sightline import duration, percent


@pytest.mark.parametrize(
    ("score", "written"),
    [
        (0.9721, "97.2 %"),
        (1.0, "100.0 %"),
        (0.99999, "99.9 %"),
        (0.0, "0.0 %"),
        (0.0002, "<0.1 %"),
    ],
)
def test_a_score_has_one_decimal_and_no_false_certainty(score: float, written: str) -> None:
    assert percent(score).replace("\N{NO-BREAK SPACE}", " ") == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.0384, "38 ms"), (1.24, "1.2 s"), (125.0, "2 min 5 s"), (None, "–"), (-0.001, "0 ms")],
)
def test_a_duration_is_in_the_unit_that_one_reads(seconds: float | None, written: str) -> None:
    assert duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == written
