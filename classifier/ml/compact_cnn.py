"""The networks of the bundled models; exports take this file along, so it stands alone."""

import torch
from torch import nn


class CompactCNN(nn.Module):
    """A 2.0 M-parameter convolutional network for images of 32 pixels.

    Three blocks of two 3x3 convolutions behind a fixed layer that whitens 2x2 patches, after the
    fast CIFAR-10 networks of Keller Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU"
    (arXiv:2404.00498). The whitening decorrelates the pixels, so that training needs a fraction of
    the epochs; the max-pooled head makes it indifferent to where in the frame the object is.
    """

    PATCH = 2
    WIDTHS = (64, 256, 256)
    DEPTH = 2  # convolutions in a block

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        filters = 2 * 3 * self.PATCH**2  # each eigenvector of the patches, with both signs
        self.whiten = nn.Conv2d(3, filters, self.PATCH).requires_grad_(False)
        self.blocks = nn.Sequential(
            *(
                _block(inputs, outputs, self.DEPTH)
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
        assert self.whiten.bias is not None
        self.whiten.bias.zero_()


class DeepCompactCNN(CompactCNN):
    """A 2.9 M-parameter one with three convolutions in a block, the last two as a residual.

    It costs 6 % more multiplications than the other, and takes longer to train.
    """

    WIDTHS = (64, 192, 288)
    DEPTH = 3


class _Residual(nn.Module):
    """Two convolutions whose result is added to what they saw."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(*_convolution(channels), nn.GELU(), *_convolution(channels))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return nn.functional.gelu(features + self.change(features))


def _block(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(outputs),
        nn.GELU(),
        *([*_convolution(outputs), nn.GELU()] if depth == 2 else [_Residual(outputs)]),
    )


def _convolution(channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    ]
