"""ONNX Runtime on the CPU: float32, and the same file in int8."""

import numpy as np
import onnxruntime as ort

from classifier.ml.engines import Engine, UnknownEngine
from classifier.ml.engines.halving import HalvingEngine
from classifier.ml.engines.threads import callers
from classifier.ml.machine import cores
from classifier.ml.network import ONNX, Network
from classifier.ml.variant import Variant

ERRORS_ONLY = 3  # severity


class OnnxRuntimeEngine(HalvingEngine):
    """One session, which all threads share; as many as cores compute each by itself."""

    def __init__(self, network: Network, variant: Variant) -> None:
        file = variant.file or network.weights
        if file.suffix != ONNX:
            raise UnknownEngine(f"{variant} needs a file; `manage.py optimize` builds it")
        self.device = "cpu"
        self.max_batch = 8
        self.side = network.spec.crop
        try:
            self._session = ort.InferenceSession(
                file, _options(), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the library's own classes, one for each of its status codes
            reason = str(error).splitlines()[0]
            raise UnknownEngine(f"{variant} cannot load {file}: {reason}") from error
        self._input = self._session.get_inputs()[0].name

    def compute(self, pixels: np.ndarray) -> np.ndarray:
        logits: np.ndarray = self._session.run(None, {self._input: pixels})[0]
        return logits


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    if callers():
        options.intra_op_num_threads = max(1, cores() // callers())
        options.inter_op_num_threads = 1
    return options


def load(network: Network, variant: Variant) -> Engine:
    """Load a network into memory."""
    return OnnxRuntimeEngine(network, variant)
