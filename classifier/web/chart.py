"""A chart of the ways to compute a model: speed to the right, faithfulness upwards.

Places are in per cent of the plot, so that it grows with the page while its text keeps its size.
Labels are laid out for the narrowest page; on a wider one they only move apart.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from classifier.queries.ways import Point, Way, pareto_front

WIDTH, HEIGHT = 280, 280  # of the plot on a phone, in pixels
MOST_HEADROOM = 76  # above the plot, for labels
LETTER, LINE = 7, 16  # room for a letter and a line of a label
DOT = 8  # room for half a mark
MOST_TICKS = 5


@dataclass(frozen=True)
class Tick:
    at: float
    value: float


@dataclass(frozen=True)
class Segment:
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Mark:
    """A way on the chart, and where its label stands: pixels from it, beginning or ending there."""

    way: Way
    x: float
    y: float
    on_front: bool
    label_y: int
    leftwards: bool

    @property
    def failed(self) -> bool:
        return not self.way.passed

    @property
    def led(self) -> bool:
        """Whether the label is so far off that a line must lead to it."""
        return abs(self.label_y) > LINE + DOT

    @property
    def lead(self) -> int:
        """Where that line ends."""
        return self.label_y + 3 if self.label_y < 0 else self.label_y - 11


@dataclass(frozen=True)
class Chart:
    by_accuracy: bool  # else by agreement with the reference
    columns: list[Tick]
    rows: list[Tick]
    front: list[Segment]
    marks: list[Mark]

    @property
    def height(self) -> int:
        return HEIGHT

    @property
    def headroom(self) -> int:
        """What the labels need above the plot."""
        tops = (mark.y * HEIGHT / 100 + mark.label_y - LINE for mark in self.marks)
        return max(DOT, math.ceil(-min(tops)))


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True)
class Axis:
    """Round values, and where anything among them lies, from 0 to 100."""

    values: list[float]

    def at(self, value: float) -> float:
        first, last = self.values[0], self.values[-1]
        return round(100 * (value - first) / (last - first), 2)

    @property
    def ticks(self) -> list[Tick]:
        return [Tick(self.at(value), value) for value in self.values]


def draw(ways: Iterable[Way]) -> Chart | None:
    """The chart, if at least two ways were measured: else there is nothing to compare.

    Only a way that passed the gate can be on the front.
    """
    measured = [way for way in ways if way.figures.images_per_second]
    by_accuracy = all(way.figures.accuracy is not None for way in measured)
    points = [(way, point) for way in measured if (point := _point(way, by_accuracy))]
    if len(points) < 2:
        return None
    front = pareto_front(point for way, point in points if way.passed)
    speeds = Axis(round_values(0, max(x for _, (x, _) in points)))
    shares = Axis(round_values(min(y for _, (_, y) in points), max(y for _, (_, y) in points)))
    placed = [(way, (speeds.at(x), 100 - shares.at(y))) for way, (x, y) in points]
    marks = _marks(placed, [way.passed and point in front for way, point in points])
    return Chart(
        by_accuracy,
        columns=speeds.ticks,
        rows=[Tick(100 - tick.at, tick.value) for tick in shares.ticks],
        front=_steps([(speeds.at(x), 100 - shares.at(y)) for x, y in front]),
        marks=marks,
    )


def round_values(low: float, high: float) -> list[float]:
    """A few round values at equal distances, the first at most `low`, the last at least `high`."""
    span = max(high - low, 0.01 if high <= 1 else 1)
    power = 10.0 ** math.floor(math.log10(span / MOST_TICKS))
    step = next(power * n for n in (1, 2, 5, 10) if span / (power * n) <= MOST_TICKS)
    last = math.ceil(round(high / step, 9))
    first = min(math.floor(round(low / step, 9)), last - 1)
    return [round(n * step, 9) for n in range(first, last + 1)]


def _point(way: Way, by_accuracy: bool) -> Point | None:
    share = way.figures.accuracy if by_accuracy else way.figures.agreement
    return None if share is None else (way.figures.images_per_second or 0, share)


def _steps(front: Sequence[Point]) -> list[Segment]:
    """The edge of what can be had: level up to each point of the front, then down to the next."""
    level = []
    left = 0.0
    for x, y in front:
        level.append(Segment(left, y, x, y))
        left = x
    drops = [Segment(here.x2, here.y2, here.x2, below.y1) for here, below in pairwise(level)]
    return level + drops


def _marks(placed: Sequence[tuple[Way, Point]], on_front: Sequence[bool]) -> list[Mark]:
    """Give each label the nearest place above or below its mark that is free."""
    taken = [_around(point) for _, point in placed]
    marks = []
    for (way, (x, y)), ahead in zip(placed, on_front, strict=True):
        leftwards, boxes = _places(way.name, (x, y))
        label_y = next((dy for dy, box in boxes if _is_free(box, taken)), boxes[0][0])
        taken.append(dict(boxes)[label_y])
        marks.append(Mark(way, x, y, ahead, label_y, leftwards))
    return marks


def _places(label: str, point: Point) -> tuple[bool, list[tuple[int, Box]]]:
    """Whether the label ends at its mark rather than begins; the places for it, the best first."""
    x, y = point[0] * WIDTH / 100, point[1] * HEIGHT / 100
    width = LETTER * len(label)
    leftwards = x + width > WIDTH + DOT and x >= width - DOT
    left = x + DOT - width if leftwards else x - DOT
    lines = [dy for n in range(5) for dy in (-12 - LINE * n, 22 + LINE * n)]
    boxes = [(dy, Box(left, y + dy - 12, left + width, y + dy + 3)) for dy in lines]
    inside = [
        place for place in boxes if place[1].top > -MOST_HEADROOM and place[1].bottom < HEIGHT
    ]
    return leftwards, inside


def _around(point: Point) -> Box:
    x, y = point[0] * WIDTH / 100, point[1] * HEIGHT / 100
    return Box(x - DOT, y - DOT, x + DOT, y + DOT)


def _is_free(box: Box, taken: Iterable[Box]) -> bool:
    return not any(box.meets(other) for other in taken)
