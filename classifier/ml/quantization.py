"""From an exported network in float32 to the same in int8."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from classifier.ml.export import quietly
from classifier.ml.refusal import Refusal

BATCH = 8
WEIGHTED = {"Conv", "Gemm", "MatMul"}


class NotQuantizable(Refusal):
    """There is nothing to calibrate on, or the network cannot be quantised."""


class Pixels(CalibrationDataReader):  # type: ignore[misc]
    """Feeds images (n, crop, crop, 3) to the calibration, a few at a time."""

    def __init__(self, images: np.ndarray, name: str) -> None:
        self._name = name
        self._batches: Iterator[np.ndarray] = (
            images[start : start + BATCH] for start in range(0, len(images), BATCH)
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch, by the name of the network's input; None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def quantize(source: Path, calibration: np.ndarray, target: Path) -> None:
    """Write an exported network with weights and activations of 8 bits.

    The ranges of the activations span all that the calibration's pixels, uint8
    (n, crop, crop, 3), give rise to. The same pixels give the same file.

    Raises:
        NotQuantizable: if there are no pixels, or the tool cannot do it.
    """
    if not len(calibration):
        raise NotQuantizable("int8 takes its ranges from real images, and there are none")
    with TemporaryDirectory() as folder:
        prepared = Path(folder, "prepared.onnx")
        try:
            with quietly():
                # Folds what can be folded, and names the shapes that quantising needs to know.
                quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
                graph = onnx.load(prepared).graph
                quantize_static(
                    str(prepared),
                    str(target),
                    Pixels(calibration, graph.input[0].name),
                    quant_format=QuantFormat.QDQ,
                    per_channel=True,
                    weight_type=QuantType.QInt8,
                    activation_type=QuantType.QUInt8,  # with signed ones the CPU is half as fast
                    nodes_to_exclude=_kept_in_float(graph),
                )
        except Exception as error:  # the tool raises whatever it likes
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise NotQuantizable(f"the network cannot be quantised: {reason}") from error


def _kept_in_float(graph: onnx.GraphProto) -> list[str]:
    """The normalisation and the first layer, which sees the widest range and costs least."""
    first = next((i for i, node in enumerate(graph.node) if node.op_type in WEIGHTED), -1)
    return [node.name for node in graph.node[: first + 1]]
