"""What is computed; how, is the engines' matter."""

from dataclasses import dataclass
from pathlib import Path

from classifier.ml.spec import ModelSpec


@dataclass(frozen=True)
class Network:
    """An architecture with its weights, and the spec that belongs to them."""

    architecture: str  # a name that `build_network` takes
    weights: Path  # a safetensors file
    spec: ModelSpec
