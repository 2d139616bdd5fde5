"""The raw limit: an engine alone, in a process of its own, as fast as the cores allow."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

BATCHES = (1, 4, 8, 16, 32)
TRIAL_SECONDS = 1.0


@dataclass(frozen=True)
class Limit:
    """Images a second of the engine, and of the engine and the decoder."""

    engine: float
    with_decode: float


@dataclass(frozen=True)
class Alone:
    """What one image costs one thread, in seconds, and the batch that suits the engine best."""

    decode: float
    forward: float
    batch: int


class Raw:
    """The process, as its parent sees it. It rests unless it is asked."""

    def __init__(self, connection: Connection, variant: str) -> None:
        """Raises SystemExit if it ends instead of measuring; so does `measure`."""
        self._connection = connection
        self._variant = variant
        self.alone: Alone = self._received()

    def measure(self, seconds: float) -> Limit:
        self._connection.send(seconds)
        limit: Limit = self._received()
        return limit

    def _received(self) -> Any:
        try:
            return self._connection.recv()
        except EOFError:
            raise SystemExit(
                f"the process that measures {self._variant} by itself died; if it said why, that "
                "is above"
            ) from None


@contextmanager
def raw_process(network: Any, variant: Any, cache: Path, pictures: list[bytes]) -> Iterator[Raw]:
    """A process that has this variant of a network in memory."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    arguments = (there, network, variant, cache, pictures)
    process = context.Process(target=_serve, args=arguments, daemon=True)
    process.start()
    there.close()
    try:
        yield Raw(here, str(variant))
    finally:
        process.terminate()
        process.join()


def _serve(
    connection: Connection, network: Any, variant: Any, cache: Path, pictures: list[bytes]
) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # as the worker has it, before torch is imported
    machine = Machine(network, variant, cache, pictures)
    connection.send(machine.alone)
    while True:
        connection.send(machine.measure(seconds=connection.recv()))


class Machine:
    """The engine and the decoder, driven by as many threads as there are cores."""

    def __init__(self, network: Any, variant: Any, cache: Path, pictures: list[bytes]) -> None:
        import numpy as np

        from classifier.ml.engines import load_engine, share_cores
        from classifier.ml.machine import cores
        from classifier.ml.preprocess import preprocess
        from classifier.ml.probing import adopt, probed

        self._cores = cores()
        share_cores(self._cores)
        found = probed(network, variant, cache)
        adopt(variant, found)
        self._engine = load_engine(network, variant)
        self._engine.max_batch = max(*BATCHES, found.max_batch)
        self._stack = np.stack
        self._decode = lambda picture: preprocess(picture, network.spec)
        self._pictures = pictures
        self._pixels = np.stack([self._decode(picture) for picture in pictures[: BATCHES[-1]]])
        trials = {
            batch: self._rate(self._computing(batch), TRIAL_SECONDS)
            for batch in sorted({*BATCHES, found.max_batch})
        }
        batch = max(trials, key=trials.__getitem__)
        decode = statistics.median(_timed(partial(self._decode, picture)) for picture in pictures)
        forward = statistics.median(
            _timed(lambda: self._engine.predict(self._pixels[:1])) for _ in range(20)
        )
        self.alone = Alone(decode, forward, batch)

    def measure(self, seconds: float) -> Limit:
        batch = self.alone.batch
        return Limit(
            engine=self._rate(self._computing(batch), seconds),
            with_decode=self._rate(self._decoding(batch), seconds),
        )

    def _computing(self, batch: int) -> Callable[[int], int]:
        def step(_: int) -> int:
            return len(self._engine.predict(self._pixels[:batch]))

        return step

    def _decoding(self, batch: int) -> Callable[[int], int]:
        def step(number: int) -> int:
            chosen = range(number * batch, (number + 1) * batch)
            pictures = (self._pictures[index % len(self._pictures)] for index in chosen)
            return len(self._engine.predict(self._stack([self._decode(p) for p in pictures])))

        return step

    def _rate(self, step: Callable[[int], int], seconds: float) -> float:
        """Images a second of all threads, each of which repeats the step for so long."""

        def repeat(thread: int) -> float:
            step(thread)  # warms up
            images, number = 0, thread
            begun = time.perf_counter()
            while (passed := time.perf_counter() - begun) < seconds:
                images += step(number)
                number += self._cores
            return images / passed

        with ThreadPoolExecutor(self._cores) as pool:
            return sum(pool.map(repeat, range(self._cores)))


def _timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun
