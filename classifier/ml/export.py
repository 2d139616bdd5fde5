"""From a network to an ONNX file, which the other engines load."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from classifier.ml.refusal import Refusal
from classifier.ml.spec import ModelSpec

PIXELS = "pixels"
LOGITS = "logits"


class NotExportable(Refusal):
    """The network does something that ONNX cannot express; the message says what."""


class FromPixelsToLogits(nn.Module):
    """A network with all that an engine does around it, so that the file alone is enough.

    uint8 pixels (n, crop, crop, 3) to float32 logits (n, classes).
    """

    scale: torch.Tensor
    offset: torch.Tensor

    def __init__(self, network: nn.Module, spec: ModelSpec) -> None:
        super().__init__()
        mean, std = (
            torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)
            for values in (spec.mean, spec.std)
        )
        self.network = network
        # (pixels / 255 - mean) / std, as one multiplication and one subtraction.
        self.register_buffer("scale", (1 / (255 * std)).float())
        self.register_buffer("offset", (mean / std).float())

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        # Contiguous, or the exporter writes down how the pixels lay in memory, as gathering by
        # index, which is slow, and which OpenVINO gets wrong in int8.
        channels_first = pixels.permute(0, 3, 1, 2).contiguous()
        images = channels_first.float() * self.scale - self.offset
        logits: torch.Tensor = self.network(images)
        return logits.float()


def export(network: nn.Module, spec: ModelSpec, target: Path) -> None:
    """Write a network as one ONNX file, weights included.

    Its input is `pixels`, uint8 (n, crop, crop, 3) for any n; its output is `logits`,
    float32 (n, classes).

    Raises:
        NotExportable: if the network cannot be expressed in ONNX.
    """
    whole = FromPixelsToLogits(network, spec).eval().cpu()
    pixels = torch.zeros(2, spec.crop, spec.crop, 3, dtype=torch.uint8)
    try:
        with quietly():
            program = torch.onnx.export(
                whole,
                (pixels,),
                input_names=[PIXELS],
                output_names=[LOGITS],
                dynamic_shapes=({0: torch.export.Dim("n")},),
                dynamo=True,
                verbose=False,
            )
            assert program is not None
            program.save(target, external_data=False)
    except Exception as error:  # the exporter raises whatever it likes
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise NotExportable(
            f"the network cannot be written as ONNX: {type(error).__name__}: {reason}"
        ) from error


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep the progress and the warnings of the libraries' tools off the terminal."""
    silenced = [logging.getLogger(name) for name in ("torch", "onnx_ir", "onnxscript", "root")]
    before = [logger.level for logger in silenced]
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        for logger in silenced:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(silenced, before, strict=True):
                logger.setLevel(level)
