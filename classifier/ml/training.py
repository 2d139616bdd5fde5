"""Train a network, from scratch or on from one that was trained before."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
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
from classifier.ml.attacks import adversarial_examples
from classifier.ml.datasets import InvalidDataset
from classifier.ml.distillation import Teacher
from classifier.ml.finetuning import take_on
from classifier.ml.machine import has_bfloat16
from classifier.ml.mixup import mix
from classifier.ml.network import Network
from classifier.ml.recipe import Recipe
from classifier.ml.refusal import Refusal
from classifier.ml.training_data import TrainingData

State = dict[str, torch.Tensor]
WATCHED = 500  # validation images in one call


@dataclass(frozen=True)
class EpochReport:
    """What one epoch gave. What is known of the validation images is the averaged network's."""

    epoch: int
    loss: float
    learning_rate: float
    seconds: float
    validation_loss: float | None = None
    accuracy: float | None = None


def training_device() -> torch.device:
    """Where networks are trained: on a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class OtherRecipe(Refusal):
    """The checkpoint is of a run with another recipe, or on other data."""


class Trainer:
    """One training run, which can be checkpointed after each epoch and taken up again.

    Where the recipe has a distillation, there must be a teacher.

    The arithmetic of the convolutions is bfloat16 (by autocast) on GPUs, and on CPUs that have
    instructions for it; the weights stay float32.

    Raises:
        InvalidDataset: if the images do not fill a single batch.
        UnknownArchitecture: if there is no such network, or it cannot be trained here.
        UnusableWeights: if those to start from are not of this architecture.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TrainingData,
        teacher: Teacher | None = None,
        start_from: Network | None = None,
    ) -> None:
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
        self._mixed = has_bfloat16(self.device)
        self.epoch = 0
        self.reports: list[EpochReport] = []
        known = start_from.spec if start_from else data
        self.mean, self.std = known.mean, known.std
        channels = torch.tensor([self.mean, self.std], device=self.device)
        self._mean, self._std = channels[:, None, :, None, None]
        network, self._taken_on = self._beginning(start_from)
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
        weights = data.class_weights.to(self.device) if recipe.balanced else None
        self._by_labels = nn.CrossEntropyLoss(weights, label_smoothing=recipe.label_smoothing)
        self._best: tuple[float, State] | None = None

    @property
    def is_done(self) -> bool:
        """Whether the last epoch is over, or there was no better one for too long."""
        return self.epoch >= self.recipe.epochs or self._has_stopped_learning()

    def run(self, after_step: Callable[[], object] = lambda: None) -> Iterator[EpochReport]:
        """Train to the end, yielding after each epoch."""
        while not self.is_done:
            begun = time.perf_counter()
            loss = self._train_epoch(after_step)
            self.epoch += 1
            watched = self._watch()
            seconds = round(time.perf_counter() - begun, 2)
            rate = float(self.schedule.get_last_lr()[0])
            report = EpochReport(self.epoch, loss, rate, seconds, *watched)
            self.reports.append(report)
            self._remember_best(report)
            yield report

    def weights(self) -> State:
        """The averaged network's state_dict, of the best epoch if the recipe has patience, else
        of the last. Parameters are float16, which halves the file; what was counted stays exact.
        """
        state = self._best[1] if self._best else self.average.module.state_dict()
        counted = {name for name, _ in self.network.named_buffers()}
        return {
            name: (value.cpu() if name in counted else value.cpu().half()).contiguous()
            for name, value in state.items()
        }

    def save_checkpoint(self, path: Path) -> None:
        """Write the whole state beside `path` first, so that a kill leaves the last one whole."""
        partial = path.with_suffix(".partial")
        state = {name: part.state_dict() for name, part in self._parts().items()}
        facts = {"recipe": asdict(self.recipe), "data": self.data.fingerprint, "best": self._best}
        reports = [asdict(report) for report in self.reports]
        torch.save({"epoch": self.epoch, "reports": reports} | facts | state, partial)
        partial.replace(path)

    def load_checkpoint(self, path: Path) -> None:
        """Take up a run of the same recipe on the same data.

        Raises:
            OtherRecipe: if the checkpoint is another run's.
        """
        saved = torch.load(path, map_location=self.device, weights_only=True)
        if saved["recipe"] != asdict(self.recipe):
            raise OtherRecipe(f"{path} is of a run with another recipe; delete it to start anew")
        if saved["data"] != self.data.fingerprint:
            raise OtherRecipe(f"{path} is of a run on other images; delete it to start anew")
        self.epoch = saved["epoch"]
        self.reports = [EpochReport(**report) for report in saved["reports"]]
        self._best = saved["best"]
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])

    def _beginning(self, start_from: Network | None) -> tuple[nn.Module, list[nn.Module]]:
        """The network, and those of its layers that are trained already."""
        size, labels = self.recipe.image_size, self.data.labels
        if start_from:
            return take_on(start_from, labels, size)
        network = build_network(self.recipe.architecture, len(labels), size)
        if isinstance(network, CompactCNN):
            images = self.data.images[:5000].to(self.device) / 255
            network.whiten_by(self._normalised(images).cpu())
        return network, []

    def _parts(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "average": self.average,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
        }

    def _train_epoch(self, after_step: Callable[[], object]) -> float:
        # Each epoch draws from a seed of its own: a run that was taken up again neither repeats
        # what an earlier epoch drew nor ends elsewhere than one that was never interrupted.
        torch.manual_seed(self.recipe.seed + 1_000_003 * (self.epoch + 1))
        self.network.train()
        start = self.recipe.start
        self._freeze(start is not None and self.epoch < start.frozen_epochs)
        total = 0.0
        order = torch.randperm(len(self.data.images))
        for step in range(self.steps_per_epoch):
            chosen = order[step * self.recipe.batch_size : (step + 1) * self.recipe.batch_size]
            total += self._train_batch(self.data.images[chosen], self.data.targets[chosen])
            after_step()
        return total / self.steps_per_epoch

    def _freeze(self, frozen: bool) -> None:
        """Leave what was taken on as it is for now, or let it learn.

        The gradients of a new layer, which knows nothing yet, would spoil it.
        """
        for layer in self._taken_on:
            for own in layer.parameters(recurse=False):
                own.requires_grad_(not frozen)
            if not any(layer.children()):
                layer.train(not frozen)

    def _train_batch(self, images: torch.Tensor, targets: torch.Tensor) -> float:
        images = self.recipe.augmentation(images.to(self.device) / 255)
        targets = targets.to(self.device)
        if self.recipe.mixup:
            images, targets = mix(images, targets, len(self.data.labels), self.recipe.mixup)
        if self.recipe.adversarial:
            epsilon = self.recipe.adversarial
            images = adversarial_examples(self._logits, images, targets, epsilon)
        loss = self._loss(images, targets)
        self.optimizer.zero_grad()
        loss.backward()
        if self.recipe.start:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.start.most_gradient)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.network)
        return float(loss.detach())

    def _loss(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        logits = self._logits(images)
        loss: torch.Tensor = self._by_labels(logits, targets)
        if self.recipe.distillation and self.teacher:
            return self.recipe.distillation.loss(loss, logits, self.teacher(images))
        return loss

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        """Of float images (n, 3, h, w) with values 0 to 1."""
        inputs = self._normalised(images).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._mixed):
            logits: torch.Tensor = self.network(inputs)
        return logits.float()

    def _watch(self) -> tuple[float | None, float | None]:
        """The averaged network's loss and accuracy on the validation images, if there are any."""
        if not len(self.data.validation_images):
            return None, None
        self.average.eval()
        with torch.inference_mode():
            logits = torch.cat(
                [
                    self.average(self._normalised(batch.to(self.device) / 255)).float().cpu()
                    for batch in self.data.validation_images.split(WATCHED)
                ]
            )
        targets = self.data.validation_targets
        loss = nn.functional.cross_entropy(logits, targets)
        return float(loss), float((logits.argmax(1) == targets).float().mean())

    def _remember_best(self, report: EpochReport) -> None:
        if not self.recipe.patience or report.accuracy is None:
            return
        if self._best is None or report.accuracy > self._best[0]:
            state: Mapping[str, torch.Tensor] = self.average.module.state_dict()
            self._best = (report.accuracy, {name: v.clone() for name, v in state.items()})

    def _has_stopped_learning(self) -> bool:
        accuracies = [report.accuracy or 0.0 for report in self.reports]
        if not self.recipe.patience or not accuracies:
            return False
        return len(accuracies) - 1 - accuracies.index(max(accuracies)) >= self.recipe.patience

    def _normalised(self, images: torch.Tensor) -> torch.Tensor:
        normalised: torch.Tensor = (images - self._mean) / self._std
        return normalised

    def _learning_rate_at(self, step: int) -> float:
        done = step / (self.recipe.epochs * self.steps_per_epoch)
        if done < self.recipe.warm_up:
            return 0.1 + 0.9 * done / self.recipe.warm_up
        descent = (done - self.recipe.warm_up) / (1 - self.recipe.warm_up)
        return 0.5 + 0.5 * math.cos(math.pi * descent)
