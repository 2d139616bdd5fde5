"""How many images an engine should compute in one call, and how fast it then is."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from classifier.ml.engines import Engine
from classifier.ml.machine import cores

SIZES = {"cpu": (1, 2, 4, 8, 16, 32), "cuda": (1, 2, 4, 8, 16, 32, 64, 128, 256)}
GOOD_ENOUGH = 0.95  # of the best throughput: a smaller batch answers sooner
ROUNDS = 5
CUDA_CALLERS = 2  # one copies while the other's batch computes


@dataclass(frozen=True)
class Pace:
    """What calibration found."""

    max_batch: int
    seconds_per_image: float  # one caller, at max_batch
    images_per_second: float  # all callers together, at max_batch
    latency_seconds: float  # one caller, one image


def calibrate(engine: Engine, side: int, seconds: float) -> Pace:
    """Find the smallest batch within 5 % of the best throughput, and set it as the engine's.

    `side` is that of the images in pixels. It takes about as many seconds as given, more only
    where a few calls take longer than that.
    """
    times = _times_per_call(engine, side, 0.7 * seconds)
    best = smallest_good_batch(times)
    engine.max_batch = best
    together = _throughput(engine, _images(best, side), 0.3 * seconds)
    return Pace(best, times[best] / best, together, times[1])


def smallest_good_batch(seconds: Mapping[int, float]) -> int:
    """The smallest batch within 5 % of the best throughput, from the seconds of a call by size."""
    fastest = min(took / size for size, took in seconds.items())
    return min(size for size, took in seconds.items() if took / size * GOOD_ENOUGH <= fastest)


def _times_per_call(engine: Engine, side: int, seconds: float) -> dict[int, float]:
    """Seconds of a call by its size, for the sizes that fit into the time and the memory.

    Rounds go through all sizes in turn, and the quickest counts: what else the machine does only
    ever adds to it.
    """
    begun = time.perf_counter()
    found: dict[int, list[float]] = {}
    for size in _sizes_within(engine, side, seconds / 3):
        found[size] = []
    for done in range(ROUNDS):
        if done and time.perf_counter() - begun > seconds:
            break
        for size, times in found.items():
            times.append(_seconds_of(engine, _images(size, side)))
    return {size: min(times) for size, times in found.items()}


def _sizes_within(engine: Engine, side: int, seconds: float) -> Iterator[int]:
    """Sizes in ascending order, each tried once, until the time is over or the memory used up."""
    begun = time.perf_counter()
    for size in SIZES[engine.device]:
        engine.max_batch = size
        engine.predict(_images(size, side))
        if engine.max_batch < size:  # it had to halve
            return
        yield size
        # The next takes about as long as all before it.
        if 2 * (time.perf_counter() - begun) > seconds:
            return


def _seconds_of(engine: Engine, images: np.ndarray) -> float:
    begun = time.perf_counter()
    engine.predict(images)
    return time.perf_counter() - begun


def _throughput(engine: Engine, images: np.ndarray, seconds: float) -> float:
    """Images a second of as many callers as a worker has threads."""
    callers = CUDA_CALLERS if engine.device == "cuda" else cores()
    begun = time.perf_counter()

    def call_until_over(_: int) -> int:
        calls = 0
        while not calls or time.perf_counter() - begun < seconds:
            engine.predict(images)
            calls += 1
        return calls

    with ThreadPoolExecutor(callers) as pool:
        calls = sum(pool.map(call_until_over, range(callers)))
    return calls * len(images) / (time.perf_counter() - begun)


def _images(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
