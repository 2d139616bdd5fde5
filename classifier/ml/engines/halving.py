"""What all engines do alike: take a batch in halves where they must, and make probabilities."""

from abc import ABC, abstractmethod

import numpy as np

from classifier.ml.probabilities import softmax

# Only torch has a class for it; the other libraries raise plain errors with one of these.
SIGNS = ("out of memory", "bad_alloc", "bad allocation", "allocate memory", "allocate a buffer")


class HalvingEngine(ABC):
    """An engine that takes a batch in halves where the memory does not suffice for the whole."""

    max_batch: int
    device: str
    side: int  # of the images, in pixels

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 pixels (n, crop, crop, 3) to float32 probabilities (n, classes)."""
        return softmax(self.logits(pixels))

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 pixels (n, crop, crop, 3) to the network's own float32 outputs (n, classes)."""
        try:
            return self.compute(pixels)
        except Exception as error:
            if len(pixels) == 1 or not is_out_of_memory(error):
                raise
        # Beyond the `except`, whose error holds on to the memory of the first try.
        half = (len(pixels) + 1) // 2
        self.max_batch = min(self.max_batch, half)
        return np.concatenate([self.logits(pixels[:half]), self.logits(pixels[half:])])

    def warm_up(self) -> None:
        """Compute once with the largest and the smallest batch, so that the first user need not."""
        for size in (self.max_batch, 1):
            self.logits(np.zeros((size, self.side, self.side, 3), dtype=np.uint8))

    @abstractmethod
    def compute(self, pixels: np.ndarray) -> np.ndarray:
        """`logits`, once and all at once."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether a smaller batch may succeed where this one failed."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(sign in text for sign in SIGNS)
