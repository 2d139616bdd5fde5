"""How much of a network's accuracy is left where images are worse, or made to mislead it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

import numpy as np
import torch

from classifier.ml.attacks import PGD_STEPS, NetworkFn, fgsm, normalising, pgd
from classifier.ml.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from classifier.ml.engines import load_engine
from classifier.ml.engines.torch import device_name
from classifier.ml.network import Network
from classifier.ml.variant import REFERENCE
from classifier.ml.weights import load_network

EPSILONS = (1 / 255, 2 / 255, 4 / 255, 8 / 255)  # one to eight grey levels
BATCH = 32  # images, while they are attacked

Attack = Callable[[NetworkFn, torch.Tensor, torch.Tensor, float], torch.Tensor]
Progress = Callable[[int], object]

ATTACKS: Mapping[str, Attack] = {"fgsm": fgsm, "pgd": pgd}
# Through the network, forth and back, and once more to see what it says.
PASSES = {"fgsm": 3, "pgd": 2 * PGD_STEPS + 1}


@dataclass(frozen=True)
class RobustnessReport:
    """Accuracies, shares from 0 to 1 of the same images, under everything that was tried."""

    images: int
    clean: float
    corruptions: Mapping[str, tuple[float, ...]]  # by severity, 1 to 5
    epsilons: tuple[float, ...]  # of values from 0 to 1; none for what cannot be attacked
    attacks: Mapping[str, tuple[float, ...]]  # by epsilon

    @property
    def corrupted(self) -> float:
        """The mean over all corruptions and severities."""
        return mean(accuracy for row in self.corruptions.values() for accuracy in row)

    def to_json(self) -> dict[str, Any]:
        """The figures as a report keeps them."""
        return {**asdict(self), "corrupted": self.corrupted}


def passes(network: Network, images: int, epsilons: Sequence[float] = EPSILONS) -> int:
    """How much work it is to measure by that many images, in passes through the network."""
    corrupted = len(CORRUPTIONS) * len(SEVERITIES)
    return images * (1 + corrupted + len(_possible(network, epsilons)) * sum(PASSES.values()))


def measure(
    network: Network,
    pixels: np.ndarray,
    truth: np.ndarray,
    epsilons: Sequence[float] = EPSILONS,
    progress: Progress = lambda done: None,
) -> RobustnessReport:
    """Measure by uint8 pixels (n, crop, crop, 3) of n > 0 images and their labels' indices (n,).

    It is the reference that is measured, on a GPU where there is one. The same images are corrupted
    and attacked the same way every time. What was imported as ONNX has no gradients, and is not
    attacked. `progress` is told the passes done; `passes` knows how many there will be.

    Raises:
        Refusal: if the network cannot be loaded.
    """
    epsilons = _possible(network, epsilons)
    accuracy = _answering(network, truth, progress)
    return RobustnessReport(
        images=len(pixels),
        clean=accuracy(pixels),
        corruptions={
            name: tuple(accuracy(corrupt(pixels, name, severity)) for severity in SEVERITIES)
            for name in CORRUPTIONS
        },
        epsilons=epsilons,
        attacks=_attacked(network, pixels, truth, epsilons, progress) if epsilons else {},
    )


def _possible(network: Network, epsilons: Sequence[float]) -> tuple[float, ...]:
    return tuple(epsilons) if network.reference == REFERENCE else ()


def _answering(
    network: Network, truth: np.ndarray, progress: Progress
) -> Callable[[np.ndarray], float]:
    """From pixels to the share of them that is answered rightly."""
    engine = load_engine(network, network.reference)

    def accuracy(pixels: np.ndarray) -> float:
        right = 0
        for start in range(0, len(pixels), engine.max_batch):
            chosen = slice(start, start + engine.max_batch)
            right += int((engine.logits(pixels[chosen]).argmax(axis=1) == truth[chosen]).sum())
            progress(len(pixels[chosen]))
        return right / len(pixels)

    return accuracy


def _attacked(
    network: Network,
    pixels: np.ndarray,
    truth: np.ndarray,
    epsilons: Sequence[float],
    progress: Progress,
) -> dict[str, tuple[float, ...]]:
    """The accuracies under each attack, by epsilon."""
    device = torch.device(device_name())
    spec = network.spec
    loaded = load_network(network.architecture, network.weights, spec).eval().requires_grad_(False)
    loaded = loaded.to(device).to(memory_format=torch.channels_last)
    logits = normalising(loaded, spec.mean, spec.std, device)

    def accuracy(attack: str, epsilon: float) -> float:
        right = 0
        for start in range(0, len(pixels), BATCH):
            chosen = torch.from_numpy(pixels[start : start + BATCH]).to(device)
            images = chosen.permute(0, 3, 1, 2).float() / 255
            targets = torch.from_numpy(truth[start : start + BATCH]).long().to(device)
            misleading = ATTACKS[attack](logits, images, targets, epsilon)
            with torch.inference_mode():
                right += int((logits(misleading).argmax(dim=1) == targets).sum())
            progress(len(images) * PASSES[attack])
        return right / len(pixels)

    return {name: tuple(accuracy(name, epsilon) for epsilon in epsilons) for name in ATTACKS}
