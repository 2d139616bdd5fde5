"""How an ONNX file from elsewhere becomes one that our engines load.

Those take uint8 pixels (n, crop, crop, 3) and give logits (n, classes), as `export` writes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from classifier.ml.refusal import Refusal
from classifier.ml.spec import ModelSpec

FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE}
CHANNELS = 3
OURS = "sightline_"  # so begin the names that a file from elsewhere has not
SMALLEST = 1e-30  # stands for a probability of 0


class UnusableGraph(Refusal):
    """The file is no ONNX, or no classifier of pictures; the message says what it should be."""


@dataclass(frozen=True)
class Input:
    """What a graph takes: uint8 pixels (n, side, side, 3) or floats (n, 3, side, side)."""

    name: str
    type: int  # one of TensorProto's
    side: int | None  # None: any

    @property
    def is_pixels(self) -> bool:
        """Whether the graph normalises them itself."""
        return self.type == TensorProto.UINT8


def input_of(graph: onnx.GraphProto) -> Input:
    """The one input of a classifier.

    Raises:
        UnusableGraph: if there are others, or it takes something else than pictures.
    """
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise UnusableGraph(
            f"its inputs are {_names(inputs)} and its outputs {_names(graph.output)}; "
            "a classifier has one of each"
        )
    kind = inputs[0].type.tensor_type
    sizes = [dim.dim_value or None for dim in kind.shape.dim]
    if len(sizes) == 4 and kind.elem_type == TensorProto.UINT8 and sizes[3] == CHANNELS:
        height, width = sizes[1:3]
    elif len(sizes) == 4 and kind.elem_type in FLOATS and sizes[1] == CHANNELS:
        height, width = sizes[2:4]
    else:
        type_ = TensorProto.DataType.Name(kind.elem_type).lower()
        shape = ", ".join(str(size or "?") for size in sizes)
        raise UnusableGraph(
            f"its input is {type_} ({shape}); it must be float (n, 3, side, side), "
            "or uint8 (n, side, side, 3)"
        )
    if height and width and height != width:
        raise UnusableGraph(f"it takes pictures of {width} x {height} pixels; they must be square")
    return Input(inputs[0].name, kind.elem_type, height or width)


def adapt(model: onnx.ModelProto, spec: ModelSpec) -> None:
    """Let a graph take pixels, any number of images at once, and give logits, in place.

    A softmax at its end is taken away, since engines make the probabilities.

    Raises:
        UnusableGraph: if it takes images of another size than the spec's, or scores each class by
            itself.
    """
    graph, given = model.graph, input_of(model.graph)
    if given.side not in {None, spec.crop}:
        raise UnusableGraph(f"it takes pictures of {given.side} pixels, not of {spec.crop}")
    pixels = given.name
    if not given.is_pixels:
        pixels = f"{OURS}pixels"
        _put(graph.node, [*_normalisation(pixels, given, spec), *graph.node])
    shape: list[str | int | None] = ["n", spec.crop, spec.crop, CHANNELS]
    _put(graph.input, [helper.make_tensor_value_info(pixels, TensorProto.UINT8, shape)])
    _end_in_logits(graph)
    del graph.value_info[:]  # they may tell of a fixed number of images
    model.ir_version = max(model.ir_version, 4)  # before, weights had to be among the inputs


def take_logarithm(model: onnx.ModelProto) -> None:
    """Let an adapted graph whose answers are probabilities give their logarithms, in place.

    They are logits: their softmax is the probabilities.
    """
    answers = model.graph.output[0].name
    floor, floored, logits = (f"{OURS}{name}" for name in ("floor", "floored", "logarithms"))
    model.graph.node.extend(
        [
            _constant(floor, np.array(SMALLEST)),
            helper.make_node("Max", [answers, floor], [floored]),
            helper.make_node("Log", [floored], [logits]),
        ]
    )
    _put(model.graph.output, [_float_output(logits)])


def _normalisation(pixels: str, given: Input, spec: ModelSpec) -> list[onnx.NodeProto]:
    """(pixels / 255 - mean) / std, channels first, as the graph takes it."""
    mean, std = (np.array(values).reshape(1, CHANNELS, 1, 1) for values in (spec.mean, spec.std))
    first, floats, scale, scaled, offset, images = (
        f"{OURS}{name}" for name in ("first", "floats", "scale", "scaled", "offset", "images")
    )
    return [
        helper.make_node("Transpose", [pixels], [first], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", [first], [floats], to=TensorProto.FLOAT),
        _constant(scale, 1 / (255 * std)),
        helper.make_node("Mul", [floats, scale], [scaled]),
        _constant(offset, mean / std),
        helper.make_node("Sub", [scaled, offset], [images]),
        helper.make_node("Cast", [images], [given.name], to=given.type),
    ]


def _end_in_logits(graph: onnx.GraphProto) -> None:
    answers = graph.output[0]
    logits = answers.name
    last = next((node for node in graph.node if logits in node.output), None)
    operator = last.op_type if last else ""
    if operator == "Sigmoid":
        raise UnusableGraph("it ends in a Sigmoid, which scores each class by itself")
    if last and operator in {"Softmax", "LogSoftmax"}:
        logits = last.input[0]
        graph.node.remove(last)
    if answers.type.tensor_type.elem_type != TensorProto.FLOAT:
        cast = helper.make_node("Cast", [logits], [f"{OURS}logits"], to=TensorProto.FLOAT)
        graph.node.append(cast)
        logits = cast.output[0]
    _put(graph.output, [_float_output(logits)])


def _float_output(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "classes"])


def _constant(name: str, value: np.ndarray) -> onnx.NodeProto:
    tensor = numpy_helper.from_array(value.astype(np.float32), name)
    return helper.make_node("Constant", [], [name], value=tensor)


def _put(field: Any, values: list[Any]) -> None:
    """In the place of what a repeated field holds."""
    del field[:]
    field.extend(values)


def _names(values: Sequence[onnx.ValueInfoProto]) -> str:
    return ", ".join(value.name for value in values) or "none"
