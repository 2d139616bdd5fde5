"""What every peer does with a picture, as the tutorials have it: Pillow, torchvision, eager torch.

PEER_MODEL names a folder with the weights and the facts of the model.
"""

import io
import json
import os
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from torchvision import models, transforms

FOLDER = Path(os.environ["PEER_MODEL"])
FACTS: dict[str, Any] = json.loads((FOLDER / "facts.json").read_text())
LABELS: list[str] = FACTS["labels"]

cut = [
    transforms.Resize(
        FACTS["resize"], interpolation=transforms.InterpolationMode(FACTS["interpolation"])
    ),
    transforms.CenterCrop(FACTS["crop"]),
]
to_tensor = transforms.Compose(
    [*cut, transforms.ToTensor(), transforms.Normalize(FACTS["mean"], FACTS["std"])]
)
to_crop = transforms.Compose(cut)


def load_model() -> torch.nn.Module:
    model: torch.nn.Module = models.get_model(
        FACTS["architecture"], weights=None, num_classes=len(LABELS)
    )
    model.load_state_dict(load_file(FOLDER / "weights.safetensors"))
    return model.eval()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def decode(content: bytes) -> torch.Tensor:
    tensor: torch.Tensor = to_tensor(opened(content))
    return tensor


@torch.no_grad()
def infer(model: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return model(batch).softmax(dim=1)


def best(probabilities: torch.Tensor) -> dict[str, Any]:
    score, index = probabilities.max(dim=0)
    return {"label": LABELS[int(index)], "score": float(score)}
