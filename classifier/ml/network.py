"""What is computed; how, is the engines' matter."""

from dataclasses import dataclass
from pathlib import Path

from classifier.ml.spec import ModelSpec
from classifier.ml.variant import REFERENCE, Variant

ONNX = ".onnx"


@dataclass(frozen=True)
class Network:
    """An architecture with its weights, and the spec that belongs to them.

    What was imported as ONNX has both in one file, as `export` writes it, and its architecture is
    no more than a name.
    """

    architecture: str  # a name that `build_network` takes
    weights: Path  # a safetensors file, or an ONNX file
    spec: ModelSpec

    @property
    def reference(self) -> Variant:
        """The way to compute it that all others are compared with, and that serves without them."""
        return Variant("onnxruntime") if self.weights.suffix == ONNX else REFERENCE
