"""Images mixed in pairs, with their labels (Zhang and others, "mixup", 2018)."""

import torch
from torch.nn import functional as F


def mix(
    images: torch.Tensor, targets: torch.Tensor, classes: int, alpha: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix each of the images (n, c, h, w) with another of the batch, all by one share.

    Args:
        targets: int64 label indices (n,).
        alpha: of the beta distribution that the share is drawn from; above 0.

    Returns the images, and the shares of their labels (n, classes).
    """
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    others = torch.randperm(len(images), device=images.device)
    hot = F.one_hot(targets, classes).float()
    return (
        share * images + (1 - share) * images[others],
        share * hot + (1 - share) * hot[others],
    )
