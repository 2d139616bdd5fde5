"""Random weights, for measuring how fast a network is without downloading it.

What they are does not change the speed, as long as the network's activations stay in the range of
ordinary numbers. And the gate in front of int8 wants a network that is sure of its answers.
"""

from collections.abc import Sequence
from pathlib import Path

FORWARD = 32  # pictures to take the statistics from
CERTAINTY = 10.0  # of the logits: one of a thousand classes then has 95 % of the probability


def write_random_weights(architecture: str, pictures: Sequence[bytes], target: Path) -> None:
    """Write a torchvision network's weights, the same ones each time.

    The normalisation layers learn the statistics of these pictures, and the last layer favours one
    class, whatever the picture: random features are too close for any two ways to compute them to
    agree on the best.
    """
    import torch
    from torch import nn

    from classifier.ml.architectures import build_network
    from classifier.ml.catalogue import official
    from classifier.ml.weights import write_weights

    spec = official(architecture).spec
    torch.manual_seed(0)
    network = build_network(architecture, len(spec.labels))
    images = _normalised(pictures[:FORWARD], spec)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain average
        elif isinstance(module, nn.Dropout):
            module.p = 0.0
    *_, last = (
        module for module in network.modules() if isinstance(module, (nn.Linear, nn.Conv2d))
    )
    with torch.no_grad():
        network.train()(images)
        logits = network.eval()(images)
        last.bias[0] += 2 * (logits.max() - logits.min()) + CERTAINTY
    write_weights(network.state_dict(), target)


def _normalised(pictures: Sequence[bytes], spec):  # noqa: ANN001, ANN202
    import numpy as np
    import torch

    from classifier.ml.preprocess import preprocess

    pixels = np.stack([preprocess(picture, spec) for picture in pictures])
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std
