"""The reference engine: PyTorch in eager mode and float32, on CUDA where there is one."""

import threading
from pathlib import Path

import torch

from classifier.ml.spec import ModelSpec
from classifier.ml.weights import load_network

MAX_BATCH = {"cpu": 8, "cuda": 64}  # a CPU gains nothing beyond 8

_one_thread = threading.Event()
_limited = threading.local()


def device_name() -> str:
    """Where networks compute: "cuda" where there is a usable GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def max_batch() -> int:
    """Images in one call beyond which nothing is gained on this machine."""
    return MAX_BATCH[device_name()]


def use_one_thread_per_call() -> None:
    """Let every later call compute in the one thread that made it.

    For processes that call from several threads at once: on a CPU, one compute thread in each of
    several callers beats several compute threads for each. Call it once, before the first
    prediction.
    """
    _one_thread.set()


class TorchEngine:
    """One network in memory, its weights shared by all threads that call it."""

    def __init__(self, architecture: str, weights: Path, spec: ModelSpec) -> None:
        self.device = device_name()
        self.max_batch = max_batch()
        self._side = spec.crop
        network = load_network(architecture, weights, spec).eval().to(self.device)
        self._network = network.to(memory_format=torch.channels_last)

    def predict(self, images: torch.Tensor) -> torch.Tensor:
        """Float32 images (n, 3, crop, crop) to float32 probabilities (n, classes), on the CPU."""
        _limit_this_thread()
        with torch.inference_mode():
            images = images.contiguous(memory_format=torch.channels_last)
            if self.device == "cuda":  # from pinned memory the copy runs beside the CPU's work
                images = images.pin_memory().to(self.device, non_blocking=True)
            logits: torch.Tensor = self._network(images)
            return logits.float().softmax(dim=1).cpu()

    def warm_up(self) -> None:
        """Compute once with the largest and the smallest batch, so that the first user need not."""
        for size in (self.max_batch, 1):
            self.predict(torch.zeros(size, 3, self._side, self._side))


def _limit_this_thread() -> None:
    """OpenMP keeps the number of threads for each calling thread, so each must set its own."""
    if _one_thread.is_set() and not getattr(_limited, "done", False):
        torch.set_num_threads(1)
        _limited.done = True
