"""OpenVINO on the CPU, from the files that ONNX Runtime loads: float32 and int8."""

import threading
from typing import Any

import numpy as np
import openvino

from classifier.ml.engines import Engine, UnknownEngine
from classifier.ml.engines.halving import HalvingEngine
from classifier.ml.engines.threads import callers
from classifier.ml.machine import cores
from classifier.ml.network import Network
from classifier.ml.variant import Variant


class OpenVinoEngine(HalvingEngine):
    """One compiled model, which all threads share, with a request for each of them."""

    def __init__(self, network: Network, variant: Variant) -> None:
        if variant.file is None:
            raise UnknownEngine(f"{variant} needs a file; `manage.py optimize` builds it")
        self.device = "cpu"
        self.max_batch = 8
        self.side = network.spec.crop
        try:
            self._model = openvino.Core().compile_model(variant.file, "CPU", _options())
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise UnknownEngine(f"{variant} cannot load {variant.file}: {reason}") from error
        self._of_thread = threading.local()

    def compute(self, pixels: np.ndarray) -> np.ndarray:
        results = self._request().infer([pixels], share_inputs=True)
        logits: np.ndarray = results[0]
        return logits.copy()  # the request overwrites its own with the next batch

    def _request(self) -> openvino.InferRequest:
        """This thread's own: a request computes one batch at a time."""
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._model.create_infer_request()
        request: openvino.InferRequest = self._of_thread.request
        return request


def _options() -> dict[str, Any]:
    """A stream computes one request at a time, in its share of the threads."""
    return {
        "INFERENCE_PRECISION_HINT": "f32",  # else it takes bf16 where the CPU has it
        "ENABLE_CPU_PINNING": False,  # several workers of a machine would share the first cores
        "INFERENCE_NUM_THREADS": cores(),
        "NUM_STREAMS": min(callers(), cores()) or 1,
    }


def load(network: Network, variant: Variant) -> Engine:
    """Load a network into memory."""
    return OpenVinoEngine(network, variant)
