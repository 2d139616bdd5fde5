"""Engines compute a model's probabilities. Each kind has one file here and one name below."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from torch import Tensor

from classifier.ml.engines.torch import TorchEngine, max_batch, use_one_thread_per_call
from classifier.ml.refusal import Refusal
from classifier.ml.spec import ModelSpec

__all__ = ["Engine", "UnknownEngine", "load_engine", "max_batch", "use_one_thread_per_call"]


class Engine(Protocol):
    """A network in memory. Any number of threads may call it at once."""

    max_batch: int  # images in one call beyond which nothing is gained
    device: str  # as "cpu" or "cuda"

    def predict(self, images: Tensor) -> Tensor:
        """Float32 images (n, 3, crop, crop) to float32 probabilities (n, classes), on the CPU."""
        ...

    def warm_up(self) -> None:
        """Compute once with the largest and the smallest batch, so that the first user need not."""
        ...


class UnknownEngine(Refusal):
    """There is no engine of that name."""


# name -> (architecture, weights, spec) -> engine
ENGINES: dict[str, Callable[[str, Path, ModelSpec], Engine]] = {"torch": TorchEngine}


def load_engine(engine: str, architecture: str, weights: Path, spec: ModelSpec) -> Engine:
    """Load a model into memory.

    Args:
        engine: a name in ENGINES.
        architecture: a name that `build_network` takes.
        weights: a safetensors file.
        spec: the preprocessing facts and labels that belong to the weights.

    Raises:
        UnknownEngine, UnknownArchitecture, UnusableWeights: if it cannot be.
    """
    if engine not in ENGINES:
        raise UnknownEngine(f"there is no engine {engine!r}; known are: {', '.join(ENGINES)}")
    return ENGINES[engine](architecture, weights, spec)
