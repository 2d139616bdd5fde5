"""LitServe with batching: eager torch, or the engine that Sightline serves by (PEER_ENGINE)."""

import os
from typing import Any

import litserve as ls
import numpy as np
import torch
from fastapi import Request

from benchmarks.peers import tutorial

BATCH, PATIENCE = 8, 0.01  # images; seconds that the first one waits for others


class Eager(ls.LitAPI):
    """What is annotated as a request is the form in it."""

    def setup(self, device: str) -> None:
        self.model = tutorial.load_model().to(device)

    def decode_request(self, request: Request) -> torch.Tensor:
        return tutorial.decode(request["file"].file.read())

    def batch(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack(inputs)

    def predict(self, batch: torch.Tensor) -> torch.Tensor:
        return tutorial.infer(self.model, batch)

    def unbatch(self, output: torch.Tensor) -> list[torch.Tensor]:
        return list(output)

    def encode_response(self, output: torch.Tensor) -> dict[str, Any]:
        return tutorial.best(output)


class OnFile(Eager):
    """A file of ours, which takes uint8 pixels and normalises them itself."""

    def setup(self, device: str) -> None:
        self.compute = ENGINES[os.environ["PEER_ENGINE"]](tutorial.FACTS["file"])

    def decode_request(self, request: Request) -> torch.Tensor:
        crop = tutorial.to_crop(tutorial.opened(request["file"].file.read()))
        return torch.from_numpy(np.array(crop))

    def predict(self, batch: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.compute(batch.numpy())).softmax(dim=1)


def _onnxruntime(file: str) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})[0]


def _openvino(file: str) -> Any:
    import openvino

    hints = {"INFERENCE_PRECISION_HINT": "f32"}  # as we serve it
    model = openvino.Core().compile_model(file, "CPU", hints)
    return lambda pixels: model([pixels])[0].copy()


ENGINES = {"onnxruntime": _onnxruntime, "openvino": _openvino}

if __name__ == "__main__":
    api = OnFile if "PEER_ENGINE" in os.environ else Eager
    server = ls.LitServer(
        api(max_batch_size=BATCH, batch_timeout=PATIENCE), accelerator="cpu", timeout=60
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        generate_client_file=False,
        log_level="warning",
    )
