"""Small ONNX files as others write them, for tests."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 3
WEIGHTS = np.array([[2, -1, 0], [0, 1.5, -1], [-1, 0, 1]], np.float32)  # from colours to scores


def graph(
    *,
    end: str = "",
    shape: tuple[int | str, ...] = ("batch", 3, 32, 32),
    type: int = TensorProto.FLOAT,
    weights: np.ndarray = WEIGHTS,
    opset: int = 17,
    flattened: tuple[int, int] = (-1, 3),
    more_inputs: tuple[str, ...] = (),
) -> onnx.ModelProto:
    """A classifier of normalised images by their mean colour; `end` is an operator at its end."""
    numbers = weights.astype(helper.tensor_dtype_to_np_dtype(type))
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["means"]),
        helper.make_node("Reshape", ["means", "flattened"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores" if end else "answers"]),
    ]
    if end:
        nodes.append(helper.make_node(end, ["scores"], ["answers"]))
    inputs = [helper.make_tensor_value_info("images", type, shape)]
    inputs += [helper.make_tensor_value_info(name, type, [1]) for name in more_inputs]
    made = helper.make_graph(
        nodes,
        "classifier",
        inputs,
        [helper.make_tensor_value_info("answers", type, [shape[0], weights.shape[1]])],
        [
            numpy_helper.from_array(numbers, "weights"),
            numpy_helper.from_array(np.array(flattened, np.int64), "flattened"),
        ],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def write_graph(path: Path, **options: object) -> Path:
    onnx.save(graph(**options), path)
    return path
