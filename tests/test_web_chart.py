"""The front is what no other beats, and the chart's labels can be told apart."""

from itertools import combinations

import pytest

from classifier.queries.ways import Figures, Way, pareto_front
from classifier.web.chart import HEIGHT, WIDTH, Box, Mark, draw, round_values


def way(name: str, speed: float | None, agreement: float | None, **more) -> Way:
    return Way(name, Figures(images_per_second=speed, agreement=agreement), False, **more)


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([], []),
        ([(1, 1)], [(1, 1)]),
        ([(1, 1), (2, 0.9)], [(1, 1), (2, 0.9)]),
        ([(1, 0.9), (2, 1)], [(2, 1)]),
        ([(1, 1), (2, 1), (2, 0.9)], [(2, 1)]),
        ([(2, 1), (2, 1)], [(2, 1)]),
        (
            [(30, 1), (70, 1), (130, 0.95), (250, 0.96), (90, 0.97)],
            [(70, 1), (90, 0.97), (250, 0.96)],
        ),
    ],
)
def test_the_front_is_every_point_that_no_other_beats(points, front) -> None:
    assert pareto_front(points) == front


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [
        (0, 342, [0, 100, 200, 300, 400]),
        (0.867, 1.0, [0.85, 0.9, 0.95, 1.0]),
        (1.0, 1.0, [0.998, 1.0]),
        (0, 0.9, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    ],
)
def test_an_axis_has_a_few_round_values(low, high, values) -> None:
    assert round_values(low, high) == values


def test_only_what_may_serve_is_on_the_front() -> None:
    chart = draw([way("a", 30, 1.0), way("b", 60, 0.9), way("c", 90, 0.95, passed=False)])
    assert {mark.way.name: mark.on_front for mark in chart.marks} == {
        "a": True,
        "b": True,
        "c": False,
    }


def test_the_front_is_level_up_to_each_point_and_then_falls() -> None:
    chart = draw([way("a", 50, 1.0), way("b", 100, 0.9)])
    [first, second, fall] = chart.front
    assert (first.x1, first.x2, second.x1, second.x2) == (0, 50, 50, 100)
    assert (first.y1, second.y1) == (first.y2, second.y2)
    assert (fall.x1, fall.y1, fall.y2) == (50, first.y1, second.y1)
    assert second.y1 > first.y1, "downwards on the screen"


def test_what_was_not_measured_is_not_drawn() -> None:
    measured = [way("a", 30, 1.0), way("b", 60, 0.9)]
    chart = draw([*measured, way("c", None, None), way("d", 50, None)])
    assert [mark.way.name for mark in chart.marks] == ["a", "b"]
    assert draw(measured[:1]) is None


def test_accuracy_is_drawn_where_all_have_it() -> None:
    right = Way("a", Figures(images_per_second=9, accuracy=0.9), False)
    assert draw([right, right]).by_accuracy
    assert draw([right, way("b", 3, 1.0), way("c", 4, 1.0)]).by_accuracy is False


def box_of(mark: Mark) -> Box:
    x, y = mark.x * WIDTH / 100, mark.y * HEIGHT / 100 + mark.label_y
    width = 7 * len(mark.way.name)
    left = x + 8 - width if mark.leftwards else x - 8
    return Box(left, y - 12, left + width, y + 3)


def test_labels_neither_meet_nor_leave_the_narrowest_page() -> None:
    chart = draw(
        [
            way("torch fp32", 31, 1.0),
            way("torch fp32 compiled", 45, 1.0),
            way("onnxruntime fp32", 68, 1.0),
            way("openvino fp32", 74, 1.0),
            way("onnxruntime int8", 131, 0.958),
            way("openvino int8", 258, 0.958),
            way("openvino int8 pruned-0.3", 342, 0.867, passed=False),
        ]
    )
    boxes = [box_of(mark) for mark in chart.marks]
    assert not any(one.meets(other) for one, other in combinations(boxes, 2))
    for box in boxes:
        assert box.left > -16
        assert box.right < WIDTH + 16
        assert -chart.headroom <= box.top
