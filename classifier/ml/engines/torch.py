"""PyTorch: the reference in eager mode and float32, and faster ways; on CUDA where there is one."""

import os
import shutil
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import numpy as np
import torch
from torch import nn

from classifier.ml.engines import Engine, UnknownEngine
from classifier.ml.engines.halving import HalvingEngine
from classifier.ml.engines.threads import callers
from classifier.ml.network import Network
from classifier.ml.variant import COMPILED, Variant
from classifier.ml.weights import load_network

MAX_BATCH = {"cpu": 8, "cuda": 64}  # until calibration knows better
PRECISIONS = {
    "cpu": {"fp32": torch.float32, "bf16": torch.bfloat16},
    "cuda": {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16},
}

_limited = threading.local()


def device_name() -> str:
    """Where networks compute: "cuda" where there is a usable GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def has_compiler() -> bool:
    """Whether there is a C++ compiler, which torch.compile calls."""
    return any(map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++")))


class TorchEngine(HalvingEngine):
    """One network in memory, its weights shared by all threads that call it."""

    def __init__(self, network: Network, variant: Variant) -> None:
        self.device = device_name()
        self.max_batch = MAX_BATCH[self.device]
        self.side = network.spec.crop
        self._type = _type_of(variant, self.device)
        self._mean, self._std = (
            torch.tensor(values, device=self.device).view(1, 3, 1, 1)
            for values in (network.spec.mean, network.spec.std)
        )
        weights = variant.file or network.weights
        loaded = load_network(network.architecture, weights, network.spec).eval()
        loaded = loaded.to(self.device, self._type).to(memory_format=torch.channels_last)
        self._network = _compiled(loaded) if variant.recipe == COMPILED else loaded
        self._of_thread = threading.local()
        if self.device == "cuda":  # the threads' streams do not wait for what was copied on this
            torch.cuda.synchronize()

    def compute(self, pixels: np.ndarray) -> np.ndarray:
        _limit_this_thread()
        with torch.inference_mode(), self._stream():
            logits: torch.Tensor = self._network(self._normalised(self._on_device(pixels)))
            # To fetch them waits for this thread's stream alone.
            fetched: np.ndarray = logits.float().cpu().numpy()
            return fetched

    def _stream(self) -> AbstractContextManager[object]:
        """On CUDA, a stream for each thread: one's copies run beside another's computing."""
        if self.device != "cuda":
            return nullcontext()
        if not hasattr(self._of_thread, "stream"):
            self._of_thread.stream = torch.cuda.Stream()
        return torch.cuda.stream(self._of_thread.stream)

    def _on_device(self, pixels: np.ndarray) -> torch.Tensor:
        """The bytes as they are, a quarter of what they become; from pinned memory on CUDA."""
        images = torch.from_numpy(pixels)
        if self.device == "cuda":
            images = images.pin_memory().to(self.device, non_blocking=True)
        return images

    def _normalised(self, images: torch.Tensor) -> torch.Tensor:
        """Pixels (n, h, w, 3) as the network's input; they lie in memory channels last already."""
        scaled = images.permute(0, 3, 1, 2).float() / 255
        return ((scaled - self._mean) / self._std).to(self._type)


def _type_of(variant: Variant, device: str) -> torch.dtype:
    known = PRECISIONS[device]
    if variant.precision not in known:
        raise UnknownEngine(
            f"torch computes no {variant.precision} on {device}; it knows {', '.join(known)}"
        )
    return known[variant.precision]


def _compiled(network: nn.Module) -> nn.Module:
    if not has_compiler():
        raise UnknownEngine("torch.compile needs a C++ compiler; install g++, or leave it out")
    # For any number of images at once: to compile for each takes as long every time.
    return cast(nn.Module, torch.compile(network, dynamic=True))


def _limit_this_thread() -> None:
    """OpenMP keeps the number of threads for each calling thread, so each must set its own."""
    if callers() and not getattr(_limited, "done", False):
        torch.set_num_threads(1)
        _limited.done = True


def load(network: Network, variant: Variant) -> Engine:
    """Load a network into memory."""
    return TorchEngine(network, variant)
