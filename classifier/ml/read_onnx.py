"""Run as a process of its own: look into an ONNX file from elsewhere, or make it ours and try it.

    python -m classifier.ml.read_onnx IN.onnx
    python -m classifier.ml.read_onnx IN.onnx OUT.onnx SAMPLE.npy < SPEC.json

The first answers what pictures it takes, as JSON. The second writes the adapted file, after it has
answered for the sample, uint8 pixels (n, crop, crop, 3). Time and memory are limited, so that a
hostile file harms this process alone. Refusals are one line on stderr.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, numpy_helper

from classifier.ml.children import limit_this_process
from classifier.ml.onnx_import import FLOATS, UnusableGraph, adapt, input_of, take_logarithm
from classifier.ml.probabilities import softmax
from classifier.ml.refusal import Refusal
from classifier.ml.spec import ModelSpec

CPU_SECONDS = 240
OPSETS = range(7, onnx.defs.onnx_opset_version() + 1)  # from 7 on, shapes are broadcast by rule
TOLERANCE = 1e-3  # of scores: an image's alone against those in a batch
FATAL_ONLY = 4  # severity


def main(source: Path, target: Path | None = None, sample: Path | None = None) -> None:
    """Answer on stdout, or write the target; exits with status 1 and a reason if it is refused."""
    limit_this_process(source, CPU_SECONDS)
    try:
        model = read_graph(source)
        given = input_of(model.graph)
        if target and sample:
            spec = ModelSpec.from_json(json.load(sys.stdin))
            adapt(model, spec)
            try_out(model, np.load(sample), spec)
            onnx.save(model, target)
    except Refusal as error:
        sys.exit(str(error))
    print(json.dumps({"side": given.side, "is_pixels": given.is_pixels}))  # noqa: T201


def read_graph(path: Path) -> onnx.ModelProto:
    """Read and check a file, which must hold all that belongs to it.

    Raises:
        UnusableGraph: if it is not whole, not sound, or of a version that is not understood.
    """
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # the parser's own classes
        raise UnusableGraph("it is damaged, or no ONNX file") from error
    version = next((used.version for used in model.opset_import if not used.domain), 0)
    if version not in OPSETS:
        raise UnusableGraph(f"its opset is {version}; {OPSETS[0]} to {OPSETS[-1]} are understood")
    for tensor in _tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            raise UnusableGraph(
                f"its tensor {tensor.name!r} lies in another file; save it with all data inside"
            )
        if tensor.data_type in FLOATS and np.isnan(numpy_helper.to_array(tensor)).any():
            raise UnusableGraph(f"it holds values that are no numbers, in {tensor.name!r}")
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the checker's and the shape inference's own classes
        raise UnusableGraph(f"it is no valid ONNX: {_first_line(error)}") from error
    return model


def try_out(model: onnx.ModelProto, sample: np.ndarray, spec: ModelSpec) -> None:
    """Let an adapted graph answer for a sample, and give logits where it gives probabilities.

    Raises:
        UnusableGraph: if it cannot, or answers something else than finite scores of the labels,
            each image by itself.
    """
    session = open_session(model)
    answers = answers_of(session, sample)
    if answers.ndim != 2 or answers.shape[1] != len(spec.labels):
        raise UnusableGraph(
            f"it does not answer {len(sample)} images in the shape "
            f"({len(sample)}, {len(spec.labels)}), a score for each of the labels"
        )
    if not np.isfinite(answers).all():
        raise UnusableGraph("it answers with values that are no finite numbers")
    if answers.min() >= 0 and np.abs(answers.sum(axis=1) - 1).max() < 0.01:
        take_logarithm(model)
        session = open_session(model)
        answers = answers_of(session, sample)
    alone = np.concatenate([answers_of(session, image[None]) for image in sample])
    if np.abs(softmax(alone) - softmax(answers)).max() > TOLERANCE:
        raise UnusableGraph("it answers otherwise for an image alone than for one among others")


def open_session(model: onnx.ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    try:
        return ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the library's own classes
        raise UnusableGraph(f"ONNX Runtime cannot load it: {_first_line(error)}") from error


def answers_of(session: ort.InferenceSession, pixels: np.ndarray) -> np.ndarray:
    try:
        answers: np.ndarray = session.run(None, {session.get_inputs()[0].name: pixels})[0]
    except Exception as error:
        # It says which node failed, and after that what the graph had computed from its data.
        node = _first_line(error).partition(" Status Message")[0]
        raise UnusableGraph(
            f"it cannot compute {len(pixels)} images at once; it must take any number: {node}"
        ) from error
    return answers


def _tensors(message: Any) -> Iterator[TensorProto]:
    """All of them, wherever the format has room for one: a place that is forgotten is one from
    which ONNX Runtime reads other files."""
    if isinstance(message, TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in value if field.is_repeated else (value,):
                yield from _tensors(part)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
