"""Learn from another network's answers besides the labels (Hinton and others, 2015).

How a good network divides its doubt among the wrong labels says more of an image than its label.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from classifier.ml.machine import has_bfloat16
from classifier.ml.network import Network
from classifier.ml.refusal import Refusal, some
from classifier.ml.weights import load_network


@dataclass(frozen=True)
class Distillation:
    """How a student listens to its teacher."""

    teacher: str  # digest of its weights
    temperature: float = 4.0  # above 1 softens the answers, so that the small ones count
    weight: float = 0.5  # of the teacher's answers; the rest is the labels'

    def __post_init__(self) -> None:
        if not (self.temperature > 0 and 0 <= self.weight <= 1):
            raise InvalidDistillation(
                "the temperature must be above 0, and the teacher's weight from 0 to 1"
            )

    def loss(
        self, labels_loss: torch.Tensor, logits: torch.Tensor, taught: torch.Tensor
    ) -> torch.Tensor:
        """The loss of a batch: student's and teacher's logits (n, classes), and that by labels."""
        divergence = F.kl_div(
            F.log_softmax(logits / self.temperature, dim=1),
            F.log_softmax(taught / self.temperature, dim=1),
            reduction="batchmean",
            log_target=True,
        )
        # Gradients of softened answers shrink by the temperature's square.
        return (1 - self.weight) * labels_loss + self.weight * self.temperature**2 * divergence


class InvalidDistillation(Refusal):
    """A figure is out of range, or the teacher has other labels; the message says which."""


class Teacher:
    """A trained network, which answers in the order of a student's labels.

    Raises:
        InvalidDistillation: if its labels are others than the student's.
        UnknownArchitecture, UnusableWeights: if it cannot be loaded.
    """

    def __init__(self, network: Network, labels: Sequence[str], device: torch.device) -> None:
        spec = network.spec
        if set(spec.labels) != set(labels):
            raise InvalidDistillation(
                f"the teacher's labels are {some(spec.labels)}; those of the data {some(labels)}"
            )
        self._order = torch.tensor([spec.labels.index(label) for label in labels], device=device)
        self._side = spec.crop
        channels = torch.tensor([spec.mean, spec.std], device=device)
        self._mean, self._std = channels[:, None, :, None, None]
        self._network = load_network(network.architecture, network.weights, spec).eval().to(device)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, classes) for float images (n, 3, h, w) of values 0 to 1, of whatever size."""
        size = (self._side, self._side)
        if images.shape[2:] != size:
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        mixed = has_bfloat16(images.device)
        with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16, enabled=mixed):
            logits: torch.Tensor = self._network((images - self._mean) / self._std)
        return logits.float()[:, self._order]
