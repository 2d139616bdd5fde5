"""The files of a network's variants: exported once, quantised once, shared by engines."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from classifier.ml.engines import is_installed
from classifier.ml.engines.torch import device_name, has_compiler
from classifier.ml.export import export
from classifier.ml.network import ONNX, Network
from classifier.ml.quantization import quantize
from classifier.ml.variant import COMPILED, REFERENCE, Variant
from classifier.ml.weights import load_network, sha256_of

ON_CPU = (
    REFERENCE,
    Variant("torch", "bf16"),
    Variant("torch", recipe=COMPILED),
    Variant("onnxruntime"),
    Variant("onnxruntime", "int8"),
    Variant("openvino"),
    Variant("openvino", "int8"),
)
ON_CUDA = (
    REFERENCE,
    Variant("torch", "bf16"),
    Variant("torch", "fp16"),
    Variant("torch", "bf16", COMPILED),
)


def candidates(reference: Variant = REFERENCE) -> tuple[Variant, ...]:
    """What this machine can try of a network, its reference first. Probes tell what works, gates
    what serves."""
    all_of_them: tuple[Variant, ...] = ON_CUDA if device_name() == "cuda" else ON_CPU
    if reference != REFERENCE:  # what was imported as ONNX is nothing that torch could load
        all_of_them = tuple(variant for variant in ON_CPU if variant.engine != REFERENCE.engine)
    return tuple(
        variant
        for variant in all_of_them
        if is_installed(variant.engine) and (variant.recipe != COMPILED or has_compiler())
    )


def build(network: Network, variant: Variant, calibration: np.ndarray, folder: Path) -> Variant:
    """The variant with the file that its engine loads, made in `folder` unless it is there.

    `calibration` is what int8 takes its ranges from: uint8 pixels (n, crop, crop, 3) of real
    images, a hundred or more for good ranges.

    Raises:
        NotExportable, NotQuantizable: if this network cannot be computed so.
    """
    if variant.engine == "torch" or variant == network.reference:
        return variant
    if variant.precision == "int8":
        return replace(variant, file=_quantized(network, calibration, folder))
    return replace(variant, file=_exported(network, folder))


def _exported(network: Network, folder: Path) -> Path:
    if network.weights.suffix == ONNX:
        return network.weights
    target = folder / f"{_digest(network)}-fp32.onnx"
    if not target.exists():
        loaded = load_network(network.architecture, network.weights, network.spec)
        partial = target.with_suffix(".partial")
        export(loaded, network.spec, partial)
        partial.replace(target)
    return target


def _quantized(network: Network, calibration: np.ndarray, folder: Path) -> Path:
    seen = hashlib.sha256(calibration.tobytes()).hexdigest()[:12]
    target = folder / f"{_digest(network)}-int8-{seen}.onnx"
    if not target.exists():
        partial = target.with_suffix(".partial")
        quantize(_exported(network, folder), calibration, partial)
        partial.replace(target)
    return target


def _digest(network: Network) -> str:
    """Stands for all that the exported file follows from."""
    facts = [network.architecture, sha256_of(network.weights), network.spec.to_json()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
