"""From a network to the ONNX file that coremltools 4 and 5 convert to Core ML.

Their converter understands opset 10 and older, and a list of operators; from version 6 on there is
none for ONNX. https://coremltools.readme.io/v4.0/docs/onnx-conversion
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from torch import nn

from classifier.ml.export import NotExportable, quietly
from classifier.ml.spec import ModelSpec

IMAGE, PROBABILITIES = "image", "probabilities"
OPSET = 10
# Of coremltools/converters/onnx/_operators_nd.py, for iOS 13 and later.
CONVERTED = frozenset(
    """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast
    Ceil Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh DepthToSpace Div Elu Equal
    Erf Exp Expand Flatten Floor Gather Gemm Greater GRU GlobalAveragePool GlobalMaxPool HardSigmoid
    Identity InstanceNormalization LeakyRelu Log LogSoftmax LRN Less LSTM MatMul Max MaxPool Mean
    Min Mod Mul Neg NonZero Not Or Pad Pow PRelu RandomNormal RandomNormalLike RandomUniform
    RandomUniformLike Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean
    ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RoiAlign
    Round Scatter Selu Sigmoid Sign Size Slice Softmax Softplus Softsign SpaceToDepth Split Shape
    Sqrt Squeeze Sub Sum Tanh ThresholdedRelu Tile TopK Transpose Unsqueeze Upsample Xor Where
    """.split()  # noqa: SIM905 - it would take a line for each
)


class FromImageToProbabilities(nn.Module):
    """A network as Core ML wants it: floats (1, 3, crop, crop) from 0 to 255 to probabilities."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module, spec: ModelSpec) -> None:
        super().__init__()
        self.network = network
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(getattr(spec, name)).view(1, 3, 1, 1) * 255)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network((image - self.mean) / self.std)
        return logits.softmax(dim=1)


def export_for_core_ml(network: nn.Module, spec: ModelSpec, target: Path) -> None:
    """Write a network as one ONNX file, weights included.

    Its input is `image`, float32 (1, 3, crop, crop), red, green and blue from 0 to 255; its output
    is `probabilities`, float32 (1, classes).

    Raises:
        NotExportable: if the network cannot be expressed so, or the converter would refuse it.
    """
    whole = FromImageToProbabilities(network, spec).eval().cpu()
    try:
        with quietly(), _silent_stdout():
            torch.onnx.export(
                whole,
                (torch.zeros(1, 3, spec.crop, spec.crop),),
                target,
                input_names=[IMAGE],
                output_names=[PROBABILITIES],
                opset_version=OPSET,
                dynamo=False,  # the new exporter writes no opset below 18
            )
        graph = onnx.load(target).graph
    except Exception as error:  # the exporter raises whatever it likes
        reason = (str(error).strip().splitlines() or [""])[0]
        raise NotExportable(
            f"the network cannot be written as ONNX of opset {OPSET}: {reason}"
        ) from error
    if unknown := {node.op_type for node in graph.node} - CONVERTED:
        raise NotExportable(f"coremltools convert no {', '.join(sorted(unknown))}")


@contextmanager
def _silent_stdout() -> Iterator[None]:
    """Nor what C++ writes: where the exporter fails, that is the whole graph."""
    before = os.dup(1)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a descriptor is all that is needed
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)
