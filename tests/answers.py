"""A network's answers, made up so that it is known how sure it may be of them."""

import numpy as np


def answers(
    images: int, *, classes: int = 10, signal: float = 3, temperature: float = 1, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, classes) and the truth (n,), which is drawn from the softmax at `temperature`."""
    draw = np.random.default_rng(seed)
    honest = signal * draw.standard_normal((images, classes))
    # Adding Gumbel noise and taking the greatest draws from the softmax.
    truth = (honest + draw.gumbel(size=honest.shape)).argmax(axis=1)
    return (temperature * honest).astype(np.float32), truth
