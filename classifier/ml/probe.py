"""Run as a process of its own: load a variant, compare it with the reference, find its batch size.

    python -m classifier.ml.probe < REQUEST

The request is JSON as `probing` writes it. What is found is one line of JSON on stdout; a refusal
is one line on stderr. An engine that takes its process down takes this one.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from classifier.ml.batching import calibrate
from classifier.ml.bundle import SHIPPED
from classifier.ml.engines import Engine, load_engine, share_cores
from classifier.ml.machine import cores
from classifier.ml.network import Network
from classifier.ml.preprocess import preprocess
from classifier.ml.refusal import Refusal
from classifier.ml.spec import ModelSpec
from classifier.ml.variant import PRUNED, Variant

# Distance of two answers: half the sum of the differences of all classes' probabilities, from 0
# for the same to 1 for the opposite. On average over the sample, and at most. A gate judges how
# good an answer is; this is about computing something else altogether.
TOLERANCES = {
    "fp32": (0.002, 0.01),
    "bf16": (0.05, 0.25),
    "fp16": (0.02, 0.1),
    "int8": (0.3, 0.95),
}
NOISE_IMAGES = 3
REFUSED = 3  # the exit status: all else that ends this process early is an accident


class WrongAnswer(Refusal):
    """What the engine computes is not what the reference computes."""


def main() -> None:
    """Answer the request on stdin; exits with status REFUSED and a reason where it is unfit."""
    request = json.load(sys.stdin)
    spec = ModelSpec.from_json(request["spec"])
    network = Network(request["architecture"], Path(request["weights"]), spec)
    file = Path(request["file"]) if request["file"] else None
    variant = Variant(request["engine"], request["precision"], request["recipe"], file)
    sample = np.load(request["sample"]) if request["sample"] else default_sample(spec)
    share_cores(cores())
    try:
        found = examine(network, variant, sample, request["seconds"])
    except Refusal as error:
        sys.stderr.write(str(error))
        sys.exit(REFUSED)
    print(json.dumps(found))  # noqa: T201 - the answer


def examine(
    network: Network, variant: Variant, sample: np.ndarray | None, seconds: float
) -> dict[str, Any]:
    """The fields of a Probe.

    Raises:
        Refusal: if it cannot be loaded, or answers wrongly to the sample, where there is one.
    """
    before, begun = resident_bytes(), time.perf_counter()
    engine = load_engine(network, variant)
    engine.warm_up()
    load_seconds, memory = time.perf_counter() - begun, resident_bytes() - before
    if sample is not None:
        check(engine, load_engine(network), sample, variant)
    pace = calibrate(engine, network.spec.crop, seconds)
    return {
        **vars(pace),
        "memory_bytes": max(memory, (variant.file or network.weights).stat().st_size),
        "load_seconds": load_seconds,
    }


def check(engine: Engine, reference: Engine, sample: np.ndarray, variant: Variant) -> None:
    """Raise WrongAnswer unless the answers have the reference's shape and are near to its own."""
    answers, expected = (
        np.concatenate([one.predict(batch) for batch in _batches(sample, one.max_batch)])
        for one in (engine, reference)
    )
    if answers.shape != expected.shape:
        raise WrongAnswer(f"{variant} answers in the shape {answers.shape}, not {expected.shape}")
    if not np.isfinite(answers).all():
        raise WrongAnswer(f"{variant} answers with values that are no finite numbers")
    if variant.recipe.startswith(PRUNED):
        return  # another network by intention; how good it is, the gate judges
    distances = np.abs(answers - expected).sum(axis=1) / 2
    mean, most = TOLERANCES[variant.precision]
    if distances.mean() > mean or distances.max() > most:
        raise WrongAnswer(
            f"{variant} answers {distances.mean():.3f} from the reference on average and "
            f"{distances.max():.3f} at most; {mean} and {most} are tolerated"
        )


def default_sample(spec: ModelSpec) -> np.ndarray:
    """Pixels (n, crop, crop, 3) of the pictures that ship with the project, of noise and of
    gradients."""
    pictures = sorted((SHIPPED / "samples").glob("*.jpg"))
    side = spec.crop
    ramp = np.linspace(0, 255, side).astype(np.uint8)
    across = np.broadcast_to(ramp[None, :, None], (side, side, 3))
    noise = np.random.default_rng(0).integers(0, 256, (NOISE_IMAGES, side, side, 3), np.uint8)
    return np.stack(
        [
            *(preprocess(path.read_bytes(), spec) for path in pictures),
            *noise,
            across,
            across.transpose(1, 0, 2),
        ]
    )


def resident_bytes() -> int:
    """The memory that this process has in use; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _batches(sample: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (sample[start : start + size] for start in range(0, len(sample), size))


if __name__ == "__main__":
    main()
