"""Everything that decides what training gives, apart from the data."""

from dataclasses import dataclass, field

from classifier.ml.augmentation import Augmentation
from classifier.ml.distillation import Distillation
from classifier.ml.refusal import Refusal


class InvalidRecipe(Refusal):
    """A figure is out of range; the message names it and says what would do."""


@dataclass(frozen=True)
class Start:
    """The trained network that is taken on, of which the last layer may be new."""

    sha256: str  # of its weights
    frozen_epochs: int = 1  # in which only what is new is trained
    most_gradient: float = 1.0  # its norm; beyond that one batch could undo what was learned before


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: by stochastic gradient descent with Nesterov's momentum, a linear
    warm-up and a cosine's descent, and an average of the weights, which is what is kept.

    Raises:
        InvalidRecipe: if a value is out of range.
    """

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
    balanced: bool = False  # rare classes weigh as much as frequent ones
    patience: int = 0  # epochs without a better one on the validation images; 0: no end before
    mixup: float = 0.0  # alpha of Zhang and others, 2018; 0: images stay apart
    adversarial: float = 0.0  # how far an attacker may move each value, of 1
    augmentation: Augmentation = field(default_factory=Augmentation)
    distillation: Distillation | None = None
    start: Start | None = None

    def __post_init__(self) -> None:
        for name in ("image_size", "epochs", "batch_size", "learning_rate"):
            _require(getattr(self, name) > 0, name, "above 0")
        _require(self.patience >= 0, "patience", "0 or more epochs")
        _require(self.mixup >= 0, "mixup", "0 or more")
        _require(0 <= self.adversarial <= 0.5, "adversarial", "from 0 to 0.5")
        _require(0 <= self.augmentation.noise <= 0.5, "noise", "from 0 to 0.5")
        if self.start:
            frozen = self.start.frozen_epochs
            _require(0 <= frozen <= self.epochs, "frozen_epochs", "from 0 to all epochs")


def _require(holds: bool, name: str, what: str) -> None:
    if not holds:
        raise InvalidRecipe(f"{name.replace('_', '-')} must be {what}")
