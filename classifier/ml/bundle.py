"""A model as a folder: `weights.safetensors`, and `model.json` with all else that there is to know.

Training writes such folders, one ships with the project, and `models install` takes them.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from classifier.ml.documents import NotADocument, read_model_json
from classifier.ml.network import ONNX, Network
from classifier.ml.refusal import Refusal
from classifier.ml.spec import ModelSpec

WEIGHTS, GRAPH = "weights.safetensors", "model.onnx"
FACTS = "model.json"
SHIPPED = Path(__file__).resolve().parents[1] / "bundled"


class InvalidBundle(Refusal):
    """The folder's `model.json` is missing, or lacks something; the message says what."""


@dataclass(frozen=True)
class Bundle:
    """A model that can be installed: its weights' file, and the facts about it."""

    name: str
    architecture: str
    weights: Path
    spec: ModelSpec
    metrics: Mapping[str, Any] = field(default_factory=dict)  # docs/models.md lists the keys
    source: str = ""
    licence: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)  # how it came about, if known
    calibration: Mapping[str, Any] = field(default_factory=dict)  # a Calibration's JSON

    @property
    def network(self) -> Network:
        """What an engine loads."""
        return Network(self.architecture, self.weights, self.spec)

    def copy_to(self, folder: Path) -> "Bundle":
        """Write its weights and the facts about it to a folder; returns what is there then.

        Both are written beside what is there first, so that a failure leaves that as it was.
        """
        folder.mkdir(parents=True, exist_ok=True)
        name = GRAPH if self.weights.suffix == ONNX else WEIGHTS
        with TemporaryDirectory(dir=folder) as beside:
            written = replace(self, weights=Path(beside) / name)
            shutil.copyfile(self.weights, written.weights)
            written.write_facts()
            for file in (name, FACTS):
                (Path(beside) / file).replace(folder / file)
        return replace(self, weights=folder / name)

    def write_facts(self) -> None:
        """Write `model.json` beside the weights."""
        facts = {
            "name": self.name,
            "architecture": self.architecture,
            "source": self.source,
            "licence": self.licence,
            "metrics": dict(self.metrics),
            "training": dict(self.training),
            "calibration": dict(self.calibration),
            "spec": self.spec.to_json(),
        }
        (self.weights.parent / FACTS).write_text(
            json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def is_bundle(folder: Path) -> bool:
    """Whether this is a folder with a `model.json`."""
    return (folder / FACTS).is_file()


def shipped_bundles() -> dict[str, Path]:
    """The folders of the models that ship with the project, by name."""
    folders = sorted(path.parent for path in SHIPPED.glob(f"*/{FACTS}"))
    return {folder.name: folder for folder in folders}


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle's folder.

    Raises:
        InvalidBundle: if a file is missing or `model.json` is incomplete.
        InvalidSpec: if its spec is wrong.
    """
    try:
        facts = read_model_json(folder / FACTS)
        spec = ModelSpec.from_json(facts.pop("spec"))
        bundle = Bundle(weights=folder / WEIGHTS, spec=spec, **facts)
    except FileNotFoundError as error:
        raise InvalidBundle(f"there is no {folder / FACTS}") from error
    except KeyError as error:
        raise InvalidBundle(f"{folder / FACTS} lacks {error}") from error
    except (OSError, NotADocument) as error:
        raise InvalidBundle(str(error)) from error
    except TypeError as error:
        raise InvalidBundle(f"{folder / FACTS} is not what `train` writes: {error}") from error
    if not bundle.weights.is_file():
        raise InvalidBundle(f"there is no {bundle.weights}; `models import` takes other files")
    return bundle
