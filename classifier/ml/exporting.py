"""From an installed model to a folder that others can use without us."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from classifier.ml.bundle import GRAPH, Bundle
from classifier.ml.card import card
from classifier.ml.core_ml import export_for_core_ml
from classifier.ml.export import FromPixelsToLogits, NotExportable, export, quietly
from classifier.ml.facts import LABELS
from classifier.ml.network import ONNX
from classifier.ml.refusal import Refusal
from classifier.ml.scripts import (
    EXPORTED,
    Script,
    of_core_ml,
    of_onnx,
    of_safetensors,
    of_torch_export,
)
from classifier.ml.weights import load_network

BYTE: tuple[float, float, float] = (1 / 255,) * 3


class FolderInUse(Refusal):
    """There is something where a model was to be written."""


def export_bundle(bundle: Bundle, form: str, target: Path) -> None:
    """Write a model to a folder, which is there whole or not at all.

    It holds the weights, `model.json`, `labels.txt`, a model card and `predict.py`.

    Raises:
        FolderInUse: if something is there already.
        NotExportable: if the network cannot be written in this form.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FolderInUse(f"{target} is there already; name a folder that is not")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as beside:
        folder = Path(beside, target.name)
        folder.mkdir()
        written, script = FORMS[form](bundle, folder)
        written.write_facts()
        (folder / LABELS).write_text("\n".join(bundle.spec.labels) + "\n", encoding="utf-8")
        script.write(bundle.spec, folder)
        (folder / "README.md").write_text(card(bundle, form), encoding="utf-8")
        folder.replace(target)


def _safetensors(bundle: Bundle, folder: Path) -> tuple[Bundle, Script]:
    _network(bundle)
    return bundle.copy_to(folder), of_safetensors(bundle.architecture, bundle.spec, folder)


def _onnx(bundle: Bundle, folder: Path) -> tuple[Bundle, Script]:
    """What was imported as ONNX is in this form."""
    if bundle.weights.suffix == ONNX:
        return bundle.copy_to(folder), of_onnx()
    export(_network(bundle), bundle.spec, folder / GRAPH)
    return replace(bundle, weights=folder / GRAPH), of_onnx()


def _torch_export(bundle: Bundle, folder: Path) -> tuple[Bundle, Script]:
    whole = FromPixelsToLogits(_network(bundle), bundle.spec).eval()
    side = bundle.spec.crop
    pixels = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    target = folder / EXPORTED
    try:
        with quietly():
            dynamic = ({0: torch.export.Dim("n")},)
            torch.export.save(torch.export.export(whole, (pixels,), dynamic_shapes=dynamic), target)
    except Exception as error:  # the exporter raises whatever it likes
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NotExportable(f"torch.export cannot write the network: {reason}") from error
    return replace(bundle, weights=target), of_torch_export()


def _core_ml(bundle: Bundle, folder: Path) -> tuple[Bundle, Script]:
    """The facts are those of this file: it takes bytes as floats, and normalises them itself."""
    export_for_core_ml(_network(bundle), bundle.spec, folder / GRAPH)
    spec = replace(bundle.spec, mean=(0.0, 0.0, 0.0), std=BYTE)
    return replace(bundle, weights=folder / GRAPH, spec=spec), of_core_ml()


def _network(bundle: Bundle) -> nn.Module:
    if bundle.weights.suffix == ONNX:
        raise NotExportable(f"{bundle.name} was imported as ONNX; it can be exported as onnx alone")
    return load_network(bundle.architecture, bundle.weights, bundle.spec)


FORMS: dict[str, Callable[[Bundle, Path], tuple[Bundle, Script]]] = {
    "safetensors": _safetensors,
    "onnx": _onnx,
    "torch-export": _torch_export,
    "coreml-ready-onnx": _core_ml,
}
