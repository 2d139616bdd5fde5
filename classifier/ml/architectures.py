"""From an architecture's name to a network whose weights are still to be loaded.

Any torchvision classification model by its own name, and `compact_cnn`, the small network of the
bundled everyday model.
"""

from typing import Any

import torch
import torchvision
from torch import nn

from classifier.ml.refusal import Refusal

COMPACT_CNN = "compact_cnn"
WITH_AUXILIARY_OUTPUTS = {"googlenet", "inception_v3"}  # while they are trained


class UnknownArchitecture(Refusal):
    """The name is neither torchvision's nor ours."""


def architecture_names() -> list[str]:
    """Every name that `build_network` takes, sorted."""
    return sorted([COMPACT_CNN, *torchvision.models.list_models(module=torchvision.models)])


def build_network(architecture: str, num_classes: int, image_size: int | None = None) -> nn.Module:
    """Build an untrained network of float32 weights: images (n, 3, h, w) to logits (n, classes).

    `image_size` is the side of the images in pixels, for the networks that are built for one.

    Raises:
        UnknownArchitecture: if there is no such architecture.
    """
    if architecture == COMPACT_CNN:
        return CompactCNN(num_classes)
    if architecture not in architecture_names():
        raise UnknownArchitecture(
            f"there is no architecture {architecture!r}; "
            "any torchvision classification model will do, for example resnet50"
        )
    network: nn.Module = torchvision.models.get_model(
        architecture, weights=None, num_classes=num_classes, **_options(architecture, image_size)
    )
    return network


def _options(architecture: str, image_size: int | None) -> dict[str, Any]:
    if architecture in WITH_AUXILIARY_OUTPUTS:  # slow, unless told that weights will follow
        return {"init_weights": False}
    if image_size and architecture.startswith("vit_"):
        return {"image_size": image_size}
    if image_size and architecture.startswith("maxvit_"):
        return {"input_size": (image_size, image_size)}
    return {}


class CompactCNN(nn.Module):
    """A 2.0 M-parameter convolutional network for images of 32 pixels.

    Three blocks of two 3x3 convolutions behind a fixed layer that whitens 2x2 patches, after the
    fast CIFAR-10 networks of Keller Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU"
    (arXiv:2404.00498). The whitening decorrelates the pixels, so that training needs a fraction of
    the epochs; the max-pooled head makes it indifferent to where in the frame the object is.
    """

    PATCH = 2
    WIDTHS = (64, 256, 256)

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        filters = 2 * 3 * self.PATCH**2  # each eigenvector of the patches, with both signs
        self.whiten = nn.Conv2d(3, filters, self.PATCH)
        self.blocks = nn.Sequential(
            *(
                _block(inputs, outputs)
                for inputs, outputs in zip((filters, *self.WIDTHS), self.WIDTHS, strict=False)
            )
        )
        self.head = nn.Linear(self.WIDTHS[-1], num_classes)
        self.logit_scale = 1 / 8

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.blocks(nn.functional.gelu(self.whiten(images)))
        logits: torch.Tensor = self.head(features.amax(dim=(2, 3))) * self.logit_scale
        return logits

    @torch.no_grad()
    def whiten_by(self, images: torch.Tensor, epsilon: float = 5e-4) -> None:
        """Set the first layer from the patch statistics of normalised images (n, 3, h, w)."""
        patches = nn.functional.unfold(images, self.PATCH).transpose(1, 2).flatten(0, 1)
        covariance = torch.cov(patches.double().T)
        eigenvalues, eigenvectors = torch.linalg.eigh(covariance)
        directions = eigenvectors.T / (eigenvalues + epsilon).sqrt()[:, None]
        filters = directions.float().view(-1, 3, self.PATCH, self.PATCH)
        self.whiten.weight.copy_(torch.cat([filters, -filters]))
        self.whiten.weight.requires_grad_(False)
        assert self.whiten.bias is not None
        self.whiten.bias.zero_()


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(outputs),
        nn.GELU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.GELU(),
    )
