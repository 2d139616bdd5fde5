"""Train a classifier from scratch on images that fit in memory."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from classifier.ml.architectures import (
    WITH_AUXILIARY_OUTPUTS,
    CompactCNN,
    UnknownArchitecture,
    build_network,
)
from classifier.ml.augmentation import Augmentation
from classifier.ml.datasets import InvalidDataset
from classifier.ml.distillation import Distillation, Teacher
from classifier.ml.refusal import Refusal
from classifier.ml.spec import Channels


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what training gives, apart from the data."""

    architecture: str
    image_size: int = 32
    epochs: int = 36
    batch_size: int = 512
    learning_rate: float = 0.4
    warm_up: float = 0.2  # share of the steps before the peak
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    average: float = 0.99  # decay of the exponential moving average of the weights
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    distillation: Distillation | None = None


@dataclass(frozen=True)
class TrainingData:
    """uint8 images (n, 3, h, w) and int64 labels (n,), for fitting and for watching."""

    labels: tuple[str, ...]
    images: torch.Tensor
    targets: torch.Tensor
    held_out_images: torch.Tensor
    held_out_targets: torch.Tensor

    @property
    def mean(self) -> Channels:
        """Mean of each channel of the training images, of values 0 to 1."""
        red, green, blue = (
            round(float(self.images[:, c].float().mean()) / 255, 4) for c in range(3)
        )
        return red, green, blue

    @property
    def std(self) -> Channels:
        """Standard deviation of each channel of the training images, of values 0 to 1."""
        red, green, blue = (
            round(float(self.images[:, c].float().std()) / 255, 4) for c in range(3)
        )
        return red, green, blue


@dataclass(frozen=True)
class EpochReport:
    """What one epoch gave; accuracy is the averaged network's on the held-out images."""

    epoch: int
    loss: float
    accuracy: float


def training_device() -> torch.device:
    """Where networks are trained: on a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class OtherRecipe(Refusal):
    """The checkpoint is of a run with another recipe."""


class Trainer:
    """One training run, which can be checkpointed after each epoch and taken up again.

    Where the recipe has a distillation, there must be a teacher.

    The arithmetic of the convolutions is bfloat16 (by autocast) on CPU and GPU alike; the weights
    stay float32.

    Raises:
        InvalidDataset: if the images do not fill a single batch.
        UnknownArchitecture: if there is no such network, or it cannot be trained here.
    """

    def __init__(self, recipe: Recipe, data: TrainingData, teacher: Teacher | None = None) -> None:
        if len(data.images) < recipe.batch_size:
            raise InvalidDataset(
                f"there are {len(data.images)} images to train on; "
                f"the batch size must be at most that, not {recipe.batch_size}"
            )
        if recipe.architecture in WITH_AUXILIARY_OUTPUTS:
            raise UnknownArchitecture(
                f"{recipe.architecture} has auxiliary outputs, which this trainer does not know; "
                "take another network, for example resnet18"
            )
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.data = data
        self.teacher = teacher
        self.device = training_device()
        self.epoch = 0
        channels = torch.tensor([data.mean, data.std], device=self.device)
        self._mean, self._std = channels[:, None, :, None, None]
        network = build_network(recipe.architecture, len(data.labels), recipe.image_size)
        if isinstance(network, CompactCNN):
            network.whiten_by(self._normalised(data.images[:5000].to(self.device) / 255).cpu())
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.average = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average), use_buffers=True
        )
        self.optimizer = torch.optim.SGD(
            [p for p in self.network.parameters() if p.requires_grad],
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=True,
        )
        self.steps_per_epoch = len(data.images) // recipe.batch_size
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._learning_rate_at)

    def run(self, after_step: Callable[[], object] = lambda: None) -> Iterator[EpochReport]:
        """Train until the recipe's last epoch, yielding after each."""
        while self.epoch < self.recipe.epochs:
            loss = self._train_epoch(after_step)
            self.epoch += 1
            accuracy = float((self.predict() == self.data.held_out_targets).float().mean())
            yield EpochReport(self.epoch, loss, accuracy)

    def predict(self) -> torch.Tensor:
        """Label indices (n,) of the averaged network for the held-out images."""
        self.average.eval()
        with torch.inference_mode():
            return torch.cat(
                [
                    self.average(self._normalised(batch.to(self.device) / 255)).argmax(1).cpu()
                    for batch in self.data.held_out_images.split(500)
                ]
            )

    def weights(self) -> dict[str, torch.Tensor]:
        """The averaged network's state_dict in float16, which halves the file."""
        state = self.average.module.state_dict()
        return {
            name: value.cpu().half().contiguous() if value.is_floating_point() else value.cpu()
            for name, value in state.items()
        }

    def save_checkpoint(self, path: Path) -> None:
        """Write the whole state beside `path` first, so that a kill leaves the last one whole."""
        partial = path.with_suffix(".partial")
        torch.save({"epoch": self.epoch, "recipe": asdict(self.recipe)} | self._state(), partial)
        partial.replace(path)

    def load_checkpoint(self, path: Path) -> None:
        """Take up a run of the same recipe.

        Raises:
            OtherRecipe: if the checkpoint is another recipe's.
        """
        saved = torch.load(path, map_location=self.device, weights_only=True)
        if saved["recipe"] != asdict(self.recipe):
            raise OtherRecipe(f"{path} is of a run with another recipe; delete it to start anew")
        self.epoch = saved["epoch"]
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])

    def _parts(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "average": self.average,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
        }

    def _state(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._parts().items()}

    def _train_epoch(self, after_step: Callable[[], object]) -> float:
        # Each epoch draws from a seed of its own: a run that was taken up again neither repeats
        # what an earlier epoch drew nor ends elsewhere than one that was never interrupted.
        torch.manual_seed(self.recipe.seed + 1_000_003 * (self.epoch + 1))
        self.network.train()
        total = 0.0
        order = torch.randperm(len(self.data.images))
        for step in range(self.steps_per_epoch):
            chosen = order[step * self.recipe.batch_size : (step + 1) * self.recipe.batch_size]
            total += self._train_batch(self.data.images[chosen], self.data.targets[chosen])
            after_step()
        return total / self.steps_per_epoch

    def _train_batch(self, images: torch.Tensor, targets: torch.Tensor) -> float:
        images = self.recipe.augmentation(images.to(self.device) / 255)
        loss = self._loss(images, targets.to(self.device))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.network)
        return float(loss.detach())

    def _loss(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        inputs = self._normalised(images).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.network(inputs)
        loss = nn.functional.cross_entropy(
            logits.float(), targets, label_smoothing=self.recipe.label_smoothing
        )
        if self.recipe.distillation and self.teacher:
            return self.recipe.distillation.loss(loss, logits.float(), self.teacher(images))
        return loss

    def _normalised(self, images: torch.Tensor) -> torch.Tensor:
        normalised: torch.Tensor = (images - self._mean) / self._std
        return normalised

    def _learning_rate_at(self, step: int) -> float:
        done = step / (self.recipe.epochs * self.steps_per_epoch)
        if done < self.recipe.warm_up:
            return 0.1 + 0.9 * done / self.recipe.warm_up
        descent = (done - self.recipe.warm_up) / (1 - self.recipe.warm_up)
        return 0.5 + 0.5 * math.cos(math.pi * descent)
