"""How fast images become classes: the engine alone, all of Sightline, and what else there is.

    make bench
    python -m benchmarks.serving --quick
    python -m benchmarks.serving --models resnet50 --weights resnet50=FILE --pictures FOLDER

Everything is measured in one run, in turns, on the same pictures, on this machine only and in a
throw-away folder: the best engine by itself, uploads over HTTP to Sightline, a backlog that is
queued first, and for the first of the models what people would otherwise use (benchmarks/peers).
Without --weights a network has random ones, which are as fast as any. docs/architecture/
09-benchmarks.md says more. Ctrl-C ends it, and all that it started.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from benchmarks import peers, pictures, report, stack
from benchmarks.load import Ask, Load, apply
from benchmarks.memory import PeakMemory
from benchmarks.processes import stop_on_sigterm
from benchmarks.raw import Raw, raw_process
from benchmarks.results import OURS, REFERENCE, Results

SHIPPED = "everyday"
IMAGES_FOR_OPTIMIZE = 120


@dataclass(frozen=True)
class Plan:
    """How long to measure, in rounds of seconds, and how many images to queue for the backlog."""

    rounds: int = 3
    clients: int = 32
    warm_up: float = 2.0
    full_seconds: float = 6.0
    single_seconds: float = 4.0
    raw_seconds: float = 4.0
    backlog: int = 2000


QUICK = Plan(1, 32, 1.0, 3.0, 2.0, 2.0, 300)


class Contender(Protocol):
    """A server that is measured: which runs, and when, is its own matter."""

    name: str
    port: int
    pids: tuple[int, ...]
    ask: Ask

    def at_work(self) -> Any: ...


class Ours:
    """Sightline by the variant that it chose, or by its reference."""

    def __init__(
        self,
        sightline: stack.Sightline,
        version: Any,
        supply: Iterator[bytes],
        by_reference: bool,
    ) -> None:
        self.name = REFERENCE if by_reference else OURS
        self.port, self.pids, self.ask = sightline.port, sightline.pids, sightline.ask
        self._sightline = sightline
        self._version = version if by_reference else None
        self._supply = supply

    @contextmanager
    def at_work(self) -> Iterator[None]:
        if self._version is None:
            yield
            return
        _, chosen = stack.network_and_variant(self._version)
        with stack.by_reference(self._version) as reference:
            self._sightline.wait_for(reference, self._supply)
            yield
        self._sightline.wait_for(str(chosen), self._supply)


def main() -> None:
    options = parse_arguments()
    stop_on_sigterm()
    begun = time.monotonic()
    out = options.out or Path(tempfile.mkdtemp(prefix="sightline-bench-results-"))
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as scratch:
        results = measure_all(options, Path(scratch))
    from classifier.ml.machine import machine_facts

    print(report.write(results, machine_facts(), options.plan.clients, out))
    print(f"\n{(time.monotonic() - begun) / 60:.1f} minutes; {out} has results.md, .json and .svg")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one short round, 2 to 3 minutes")
    parser.add_argument(
        "--models",
        type=lambda text: text.split(","),
        help="torchvision networks, or everyday; the peers are measured with the first "
        "(default: resnet50,mobilenet_v2,everyday, with --quick: resnet50)",
    )
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="MODEL=FILE",
        type=lambda text: text.split("=", 1),
        help="a local state_dict, instead of random weights",
    )
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="JPEGs to measure with")
    parser.add_argument("--no-peers", action="store_true", help="Sightline and its engine alone")
    parser.add_argument("--engines", default="", help="to choose from, with commas; default: all")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--port", type=int, default=8640, help="the first of ten free ports")
    parser.add_argument("--out", type=Path, help="where to leave the results")
    options = parser.parse_args()
    options.models = options.models or (
        ["resnet50"] if options.quick else ["resnet50", "mobilenet_v2", SHIPPED]
    )
    options.plan = QUICK if options.quick else Plan()
    if options.rounds:
        options.plan = replace(options.plan, rounds=options.rounds)
    options.weights = {name: Path(file) for name, file in options.weights}
    return options


def measure_all(options: argparse.Namespace, scratch: Path) -> list[Results]:
    made = options.pictures is None
    chosen = pictures.made_pictures() if made else pictures.given_pictures(options.pictures)
    folder = scratch / "pictures"
    folder.mkdir()
    for number, picture in enumerate(chosen[:IMAGES_FOR_OPTIMIZE]):
        (folder / f"{number:04}.jpg").write_bytes(picture)
    with stack.installation(options.port) as sightline:
        bench = Bench(options, scratch, sightline, chosen, pictures.endlessly(chosen))
        return [bench.measure(name) for name in options.models]


@dataclass
class Bench:
    """A run: the installation, and the pictures that everybody gets."""

    options: argparse.Namespace
    scratch: Path
    sightline: stack.Sightline
    pictures: list[bytes]
    supply: Iterator[bytes]

    def measure(self, name: str) -> Results:
        """One model. The peers are measured beside the first."""
        weights = self._weights(name)
        say(f"{name}: looking for the fastest way to compute it")
        self.sightline.install(name, weights, self.scratch / "pictures", self.options.engines)
        version = stack.serving_version()
        network, variant = stack.network_and_variant(version)
        with ExitStack() as closing:
            raw = closing.enter_context(
                raw_process(network, variant, stack.cache_folder(), self.pictures)
            )
            results = Results(name, self._kind(name), str(variant), raw.alone)
            self.sightline.wait_for(str(variant), self.supply)
            ours = partial(Ours, self.sightline, version, self.supply)
            contenders: list[Contender] = [ours(by_reference=False)]
            if name == self.options.models[0] and name != SHIPPED and not self.options.no_peers:
                contenders.append(ours(by_reference=True))
                contenders += closing.enter_context(self._peers(network, variant))
            for number in range(self.options.plan.rounds):
                say(f"{name}: round {number + 1} of {self.options.plan.rounds}")
                self._one_round(results, raw, contenders)
        return results

    def _weights(self, name: str) -> Path | None:
        """A file of them; None for the model that ships with its own."""
        if name == SHIPPED or name in self.options.weights:
            return self.options.weights.get(name)
        from benchmarks.weights import write_random_weights

        target = self.scratch / f"{name}.safetensors"
        write_random_weights(name, self.pictures, target)
        return target

    def _kind(self, name: str) -> str:
        if name == SHIPPED:
            return "its own weights"
        return "given weights" if name in self.options.weights else "random weights"

    def _peers(self, network: Any, variant: Any) -> AbstractContextManager[list[peers.Peer]]:
        say("starting the peers")
        folder = self.scratch / "peers"
        peers.write_model(folder, network, variant)
        engine = variant.engine if variant.file else ""
        return peers.running_peers(folder, self.options.port + 1, engine, self.pictures[0])

    def _one_round(self, results: Results, raw: Raw, contenders: list[Contender]) -> None:
        """Everything once, one after the other."""
        plan: Plan = self.options.plan
        results.limits.append(raw.measure(plan.raw_seconds))
        results.backlogs.append(self.sightline.drain(plan.backlog, self.supply))
        say(
            f"  limit {results.limits[-1].with_decode:.1f}, backlog {results.backlogs[-1].rate:.1f}"
        )
        full = Load(plan.clients, plan.warm_up, plan.full_seconds)
        single = Load(1, plan.warm_up / 2, plan.single_seconds)
        for contender in contenders:
            served, port, ask = results.of(contender.name), contender.port, contender.ask
            with contender.at_work(), PeakMemory(contender.pids) as memory:
                served.full.append(apply(full, port, ask, self.supply))
                served.single.append(apply(single, port, ask, self.supply))
            served.peak_bytes = max(served.peak_bytes, memory.bytes)
            say(f"  {contender.name}: {served.full[-1].rate:.1f}")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    main()
