"""One way to compute a network."""

from dataclasses import dataclass
from pathlib import Path

COMPILED = "compiled"  # the recipe of torch.compile; the network is still the same
PRUNED = "pruned-"  # a recipe that begins so is of a smaller network, trained on


@dataclass(frozen=True)
class Variant:
    """By which engine a network is computed, how precisely, and what else was done to it.

    `file` is what the engine loads, where that is not the network's own weights.
    """

    engine: str  # a name in ENGINES
    precision: str = "fp32"  # fp32, fp16, bf16 or int8
    recipe: str = ""  # as "compiled" or "pruned-0.3"
    file: Path | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, (self.engine, self.precision, self.recipe)))


REFERENCE = Variant("torch")  # eager and in float32; see `Network.reference`
