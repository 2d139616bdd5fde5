"""Curves and bars, in per cent of a plot: a training's course, and how honest scores are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from classifier.web.chart import Axis, Tick, round_values


@dataclass(frozen=True)
class Curve:
    """A line through values at one epoch after the other; `points` are for an SVG of 100 by 100."""

    name: str
    points: str
    last: float


@dataclass(frozen=True)
class Plot:
    columns: list[Tick]
    rows: list[Tick]
    curves: list[Curve]


@dataclass(frozen=True)
class Bar:
    """Of a reliability diagram: how often answers of such a score are right, in per cent."""

    left: float
    width: float
    height: float
    count: int
    expected: float  # their mean score

    @property
    def top(self) -> float:
        return 100 - self.height


def plot(
    epochs: Sequence[Mapping[str, Any]],
    fields: Mapping[str, str],
    numbers: Sequence[float] | None = None,
) -> Plot | None:
    """The course of some fields of a training's epochs; None where there is no course yet.

    Args:
        epochs: the fields of each, or of whatever else is counted.
        fields: what each is called.
        numbers: that of each epoch, rising; by default they are counted from 1.
    """
    known = {
        field: [epoch[field] for epoch in epochs]
        for field in fields
        if epochs and all(epoch.get(field) is not None for epoch in epochs)
    }
    if len(epochs) < 2 or not known:
        return None
    values = [value for course in known.values() for value in course]
    numbers = numbers or range(1, len(epochs) + 1)
    across = Axis(round_values(numbers[0], numbers[-1]))
    upwards = Axis(round_values(min(values), max(values)))
    return Plot(
        [Tick(at, value) for at, value in _whole(across)],
        [Tick(100 - tick.at, tick.value) for tick in upwards.ticks],
        [
            Curve(
                fields[field],
                " ".join(
                    f"{across.at(number):g},{100 - upwards.at(value):g}"
                    for number, value in zip(numbers, course, strict=True)
                ),
                course[-1],
            )
            for field, course in known.items()
        ],
    )


def reliability(report: Mapping[str, Any]) -> list[Bar]:
    """The bars of a reliability diagram; bins without images have none."""
    return [
        Bar(
            100 * one["low"],
            100 * (one["high"] - one["low"]),
            100 * one["accuracy"],
            one["count"],
            100 * one["confidence"],
        )
        for one in report["reliability"]
        if one["count"]
    ]


def _whole(axis: Axis) -> list[tuple[float, float]]:
    """Epochs are counted, so that there are none between two."""
    return [(axis.at(value), value) for value in axis.values if value == int(value)]
