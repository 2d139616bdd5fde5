"""Small models as files, for tests."""

from pathlib import Path

import numpy as np
import torch
from django.conf import settings

from classifier.ml.architectures import COMPACT_CNN, build_network
from classifier.ml.bundle import WEIGHTS, Bundle
from classifier.ml.spec import ModelSpec
from classifier.ml.weights import write_weights
from tests.factories import SPEC

REAL = Path(settings.BASE_DIR).parent / "shared" / "data"
SMALL = ModelSpec.from_json(SPEC)


def state_dict(architecture: str = COMPACT_CNN, classes: int = 3) -> dict[str, torch.Tensor]:
    """Random weights, the same each time."""
    torch.manual_seed(0)
    return build_network(architecture, classes).state_dict()


def write_bundle(folder: Path, name: str = "toy") -> Bundle:
    """A compact network with random weights, as `train` would write it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(state_dict(), folder / WEIGHTS)
    bundle = Bundle(name, COMPACT_CNN, folder / WEIGHTS, SMALL, metrics={"top1": 0.5})
    bundle.write_facts()
    return bundle


def normalised(pixels: np.ndarray, spec: ModelSpec) -> torch.Tensor:
    """Pixels (n, h, w, 3) as torchvision's transforms would have them (n, 3, h, w)."""
    scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
    return (scaled - mean) / std
