"""Engines compute a model's outputs. Each kind has one module here, and its name below.

A module is imported when its engine is first loaded, so that nobody pays for a library that is
not used, and a library that is not installed hurts nobody.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

import numpy as np

from classifier.ml.engines.threads import share_cores
from classifier.ml.network import Network
from classifier.ml.refusal import Refusal
from classifier.ml.variant import Variant

__all__ = ["Engine", "UnknownEngine", "is_installed", "load_engine", "share_cores"]

# The name is the library's, too; the module's `load` takes a network and a variant.
ENGINES = {
    "torch": "classifier.ml.engines.torch",
    "onnxruntime": "classifier.ml.engines.onnxruntime",
    "openvino": "classifier.ml.engines.openvino",
}
loaded_here: set[str] = set()  # names of engines whose libraries this process has in use


class Engine(Protocol):
    """A network in memory. Any number of threads may call it at once."""

    max_batch: int  # images in one call beyond which nothing is gained; calibration sets it
    device: str  # as "cpu" or "cuda"

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 pixels (n, crop, crop, 3) to the network's own float32 outputs (n, classes).

        The pixels are resized and cropped; to normalise them is the engine's part. Where the
        memory does not suffice for so many, `max_batch` is halved and they go in parts.
        """
        ...

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 pixels (n, crop, crop, 3) to float32 probabilities (n, classes)."""
        ...

    def warm_up(self) -> None:
        """Compute once with the largest and the smallest batch, so that the first user need not."""
        ...


class UnknownEngine(Refusal):
    """There is no engine of that name, or it cannot work on this machine; the message says why."""


def is_installed(engine: str) -> bool:
    """Whether the library of an engine is there; a probe tells whether it works."""
    return find_spec(engine) is not None


def load_engine(network: Network, variant: Variant | None = None) -> Engine:
    """Load a network into memory, by its reference where no variant is given.

    Raises:
        UnknownEngine, UnknownArchitecture, UnusableWeights: if it cannot be.
    """
    variant = variant or network.reference
    if variant.engine not in ENGINES:
        known = ", ".join(ENGINES)
        raise UnknownEngine(f"there is no engine {variant.engine!r}; known are: {known}")
    try:
        module = import_module(ENGINES[variant.engine])
    except ImportError as error:
        raise UnknownEngine(f"{variant} cannot be used here: {error}") from error
    loaded_here.add(variant.engine)
    return cast(Engine, module.load(network, variant))
