"""Images changed by a little, in the direction that misleads a network most.

All of these take float images (n, 3, h, w) of values 0 to 1, the right labels' indices (n,), and
`epsilon`, by which a value may change, on the same scale. The networks are functions from such
images to logits (n, classes), which normalise by themselves; `normalising` makes one.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from classifier.ml.spec import Channels

PGD_STEPS = 10
STRIDE = 2.5  # of all steps of PGD together, in epsilons: enough to come from one side to another
FAST_STRIDE = 1.25  # of the one step from a random start

NetworkFn = Callable[[torch.Tensor], torch.Tensor]


def normalising(
    network: nn.Module, mean: Channels, std: Channels, device: torch.device
) -> NetworkFn:
    """A network for images of values 0 to 1."""
    channels = torch.tensor([mean, std], device=device)
    centre, scale = channels[:, None, :, None, None]

    def logits(images: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = network((images - centre) / scale)
        return answer

    return logits


def fgsm(
    network: NetworkFn, images: torch.Tensor, targets: torch.Tensor, epsilon: float
) -> torch.Tensor:
    """One step of the whole epsilon, the fast gradient sign method.

    Goodfellow and others, "Explaining and Harnessing Adversarial Examples" (2015).
    """
    return (images + epsilon * _uphill(network, images, targets)).clamp(0, 1)


def pgd(
    network: NetworkFn,
    images: torch.Tensor,
    targets: torch.Tensor,
    epsilon: float,
    steps: int = PGD_STEPS,
    seed: int = 0,
) -> torch.Tensor:
    """Many small steps from a random start, projected gradient descent.

    Madry and others, "Towards Deep Learning Models Resistant to Adversarial Attacks" (2018).
    """
    changed = _start(images, epsilon, torch.Generator().manual_seed(seed))
    for _ in range(steps):
        step = STRIDE * epsilon / steps * _uphill(network, changed, targets)
        changed = _within(changed + step, images, epsilon)
    return changed


def adversarial_examples(
    network: NetworkFn, images: torch.Tensor, targets: torch.Tensor, epsilon: float
) -> torch.Tensor:
    """What to train on in place of images: one step from a random start.

    It costs one pass forth and back, and gives networks about as robust as training by PGD (Wong
    and others, "Fast is better than free: Revisiting adversarial training", 2020). The start is
    drawn by torch's own generator, which training seeds. Targets may be probabilities, too.
    """
    changed = _start(images, epsilon)
    step = FAST_STRIDE * epsilon * _uphill(network, changed, targets)
    return _within(changed + step, images, epsilon)


def _uphill(network: NetworkFn, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """In which direction, -1, 0 or 1, each value makes the network more wrong."""
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        # Summed, not averaged: the gradients of what it is sure of are near enough to 0 as it is.
        loss = F.cross_entropy(network(images).float(), targets, reduction="sum")
        # Of the images alone: what training has gathered for the weights is left as it is.
        [gradient] = torch.autograd.grad(loss, [images])
    return gradient.sign()


def _start(
    images: torch.Tensor, epsilon: float, draw: torch.Generator | None = None
) -> torch.Tensor:
    noise = torch.rand(images.shape, generator=draw).to(images.device)  # the same on every device
    return (images + epsilon * (2 * noise - 1)).clamp(0, 1)


def _within(changed: torch.Tensor, images: torch.Tensor, epsilon: float) -> torch.Tensor:
    """The nearest images that differ by no more than epsilon and have values of 0 to 1."""
    nearest = torch.minimum(torch.maximum(changed, images - epsilon), images + epsilon)
    return nearest.clamp(0, 1)
