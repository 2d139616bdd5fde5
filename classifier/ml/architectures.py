"""From an architecture's name to a network whose weights are still to be loaded.

Any torchvision classification model by its own name, and our own small networks, of which the
bundled models are made.
"""

from typing import Any

import torchvision
from torch import nn

from classifier.ml.compact_cnn import CompactCNN as CompactCNN
from classifier.ml.compact_cnn import DeepCompactCNN
from classifier.ml.refusal import Refusal

COMPACT_CNN = "compact_cnn"
OWN = {COMPACT_CNN: CompactCNN, "compact_cnn_deep": DeepCompactCNN}
WITH_AUXILIARY_OUTPUTS = {"googlenet", "inception_v3"}  # while they are trained


class UnknownArchitecture(Refusal):
    """The name is neither torchvision's nor ours."""


def architecture_names() -> list[str]:
    """Every name that `build_network` takes, sorted."""
    return sorted([*OWN, *torchvision.models.list_models(module=torchvision.models)])


def build_network(architecture: str, num_classes: int, image_size: int | None = None) -> nn.Module:
    """Build an untrained network of float32 weights: images (n, 3, h, w) to logits (n, classes).

    `image_size` is the side of the images in pixels, for the networks that are built for one.

    Raises:
        UnknownArchitecture: if there is no such architecture.
    """
    if architecture in OWN:
        return OWN[architecture](num_classes)
    if architecture not in architecture_names():
        raise UnknownArchitecture(
            f"there is no architecture {architecture!r}; "
            "any torchvision classification model will do, for example resnet50"
        )
    network: nn.Module = torchvision.models.get_model(
        architecture, weights=None, num_classes=num_classes, **options_of(architecture, image_size)
    )
    return network


def options_of(architecture: str, image_size: int | None) -> dict[str, Any]:
    """What torchvision wants to be told beside the number of classes."""
    if architecture in WITH_AUXILIARY_OUTPUTS:  # slow, unless told that weights will follow
        return {"init_weights": False}
    if image_size and architecture.startswith("vit_"):
        return {"image_size": image_size}
    if image_size and architecture.startswith("maxvit_"):
        return {"input_size": (image_size, image_size)}
    return {}
