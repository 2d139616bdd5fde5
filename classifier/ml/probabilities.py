"""From a network's outputs to probabilities."""

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits (n, classes) to probabilities, each row of which adds up to 1; of the same type."""
    # Less the greatest: exp would overflow beyond 88.
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
