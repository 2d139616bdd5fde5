"""Structured pruning: take the least important channels out of a network, and train the rest on.

What is left is a smaller dense network, which every engine computes faster; zeros strewn over the
weights would help none of them.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch_pruning  # type: ignore[import-untyped]
from torch import nn

from classifier.ml.architectures import CompactCNN
from classifier.ml.augmentation import Augmentation
from classifier.ml.engines import is_installed
from classifier.ml.export import export
from classifier.ml.machine import cores, has_bfloat16
from classifier.ml.network import Network
from classifier.ml.quantization import quantize
from classifier.ml.refusal import Refusal
from classifier.ml.spec import ModelSpec
from classifier.ml.variant import PRUNED, Variant
from classifier.ml.weights import load_network

ROUND_TO = 8  # channels, which the units of CPUs and GPUs take at once
HOPELESS = 0.9  # share of the channels from which nothing useful is left


class NotPrunable(Refusal):
    """The share makes no sense, or the network is wired so that channels cannot be taken out."""


@dataclass(frozen=True)
class FineTuning:
    """How a pruned network is trained on."""

    epochs: int = 3
    batch_size: int = 128
    learning_rate: float = 1e-3
    warm_up: float = 0.1  # share of the steps before the peak
    weight_decay: float = 1e-2
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def steps(self, images: int) -> int:
        """How many batches that many images make."""
        return self.epochs * max(1, images // self.batch_size)


class PrunedNetwork:
    """A network without a share of its channels, trained on when its file is first needed."""

    def __init__(
        self,
        network: Network,
        share: float,
        train: Callable[[nn.Module, nn.Module], None],
        folder: Path,
    ) -> None:
        """Prune at once; `train` takes the pruned and the whole network. Files go to `folder`.

        Raises:
            NotPrunable: if it cannot be done.
        """
        self.recipe = f"{PRUNED}{share:g}"
        self._spec = network.spec
        self._whole = load_network(network.architecture, network.weights, network.spec)
        self._pruned = prune(self._whole, share, network.spec)
        self._train = train
        self._folder = folder

    def candidates(self) -> tuple[Variant, ...]:
        """What this machine can try: the engines that load an exported file."""
        return tuple(
            Variant(engine, precision, self.recipe)
            for engine in ("onnxruntime", "openvino")
            for precision in ("fp32", "int8")
            if is_installed(engine)
        )

    def build(self, variant: Variant, calibration: np.ndarray) -> Variant:
        """The variant with its file; int8 takes its ranges from pixels (n, crop, crop, 3)."""
        if variant.precision == "fp32":
            return replace(variant, file=self._exported)
        target = self._folder / f"{self.recipe}-int8.onnx"
        if not target.exists():
            partial = target.with_suffix(".partial")
            quantize(self._exported, calibration, partial)
            partial.replace(target)
        return replace(variant, file=target)

    @cached_property
    def _exported(self) -> Path:
        self._train(self._pruned, self._whole)
        target = self._folder / f"{self.recipe}-fp32.onnx"
        export(self._pruned, self._spec, target)
        return target


def prune(network: nn.Module, share: float, spec: ModelSpec) -> nn.Module:
    """A copy of a network without that share of the channels of each layer.

    Those of the smallest weights go, together with all that reads or writes them in other layers.
    The classes stay.

    Raises:
        NotPrunable: if the share is not between 0 and 0.9, or the network cannot be pruned.
    """
    if not 0 < share < HOPELESS:
        raise NotPrunable(f"{share:g} is no share to prune; it must be between 0 and {HOPELESS:g}")
    pruned = copy.deepcopy(network).cpu().eval()
    example = torch.zeros(1, 3, spec.crop, spec.crop)
    try:
        torch_pruning.pruner.BasePruner(
            pruned,
            example,
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            pruning_ratio=share,
            ignored_layers=_untouchable(pruned, len(spec.labels)),
            round_to=ROUND_TO,
        ).step()
        with torch.inference_mode():
            outputs = pruned(example)
    except Exception as error:  # the library raises whatever it likes
        raise NotPrunable(
            f"the network cannot be pruned: {type(error).__name__}: {error}"
        ) from error
    if outputs.shape != (1, len(spec.labels)):
        raise NotPrunable("the network cannot be pruned: its classes would go")
    return pruned


def fine_tune(
    pruned: nn.Module,
    whole: nn.Module,
    pixels: np.ndarray,
    truth: np.ndarray,
    spec: ModelSpec,
    recipe: FineTuning = FineTuning(),
    after_step: Callable[[], object] = lambda: None,
) -> None:
    """Train a pruned network on: uint8 pixels (n, crop, crop, 3) with their labels' indices (n,).

    It learns from the labels and, as much, from what the whole network says of the same pictures.
    """
    torch.manual_seed(recipe.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pruned.to(device).to(memory_format=torch.channels_last).train()
    whole.to(device).to(memory_format=torch.channels_last).eval()
    optimizer = torch.optim.AdamW(pruned.parameters(), weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.learning_rate,
        total_steps=recipe.steps(len(pixels)),
        pct_start=recipe.warm_up,
    )
    with _all_cores():
        for batch in _batches(len(pixels), recipe):
            images = _augmented(pixels[batch], spec, recipe.augmentation, device)
            loss = _loss(pruned, whole, images, torch.from_numpy(truth[batch]).to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            after_step()
    pruned.cpu().eval()


@contextmanager
def _all_cores() -> Iterator[None]:
    """An engine that computed in this thread before may have limited it to one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(cores())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _loss(
    pruned: nn.Module, whole: nn.Module, images: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy with the labels, and with what the whole network answers."""
    device = images.device
    with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
        logits = pruned(images).float()
        with torch.no_grad():
            answers = whole(images).float().softmax(dim=1)
    from_labels = nn.functional.cross_entropy(logits, targets)
    return (from_labels + nn.functional.cross_entropy(logits, answers)) / 2


def _batches(count: int, recipe: FineTuning) -> Iterator[np.ndarray]:
    """Indices of the images of each step; what does not fill a batch is left out."""
    draw = np.random.default_rng(recipe.seed)
    for _ in range(recipe.epochs):
        order = draw.permutation(count)
        for step in range(max(1, count // recipe.batch_size)):
            yield order[step * recipe.batch_size : (step + 1) * recipe.batch_size]


def _augmented(
    pixels: np.ndarray, spec: ModelSpec, augmentation: Augmentation, device: torch.device
) -> torch.Tensor:
    """Changed and normalised images (n, 3, crop, crop)."""
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (spec.mean, spec.std))
    images = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
    normalised = (augmentation(images) - mean) / std
    return normalised.contiguous(memory_format=torch.channels_last)


def _untouchable(network: nn.Module, classes: int) -> list[nn.Module]:
    """The layers whose outputs are not ours to take: the classes, and a fixed whitening."""
    found = [
        layer
        for layer in network.modules()
        if classes in {getattr(layer, "out_features", None), getattr(layer, "out_channels", None)}
    ]
    return [*found, network.whiten] if isinstance(network, CompactCNN) else found
