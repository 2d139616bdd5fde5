"""The course of a training as TensorBoard's event files."""

from pathlib import Path
from types import TracebackType

from tensorboardX import SummaryWriter

from classifier.ml.training import EpochReport

NAMES = {
    "loss": "loss/train",
    "validation_loss": "loss/validation",
    "accuracy": "accuracy/validation",
    "learning_rate": "learning_rate",
    "seconds": "seconds",
}


class Curves:
    """Writes a point of each curve after each epoch. `tensorboard --logdir FOLDER` shows them."""

    def __init__(self, folder: Path) -> None:
        self._writer = SummaryWriter(str(folder))

    def add(self, report: EpochReport) -> None:
        """Add an epoch; it is on disk then."""
        for field, name in NAMES.items():
            if (value := getattr(report, field)) is not None:
                self._writer.add_scalar(name, value, report.epoch)
        self._writer.flush()

    def __enter__(self) -> "Curves":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
