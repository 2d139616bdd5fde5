"""What was measured, and the ratios that follow from it."""

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.load import Answers, quantile
from benchmarks.raw import Alone, Limit

OURS, REFERENCE = "Sightline", "Sightline, torch fp32"
BEST_ENGINE = "LitServe, our "  # how the name of the peer with our file begins


@dataclass(frozen=True)
class Backlog:
    """The drain of a backlog, from the first claim to the last settling."""

    images: int
    seconds: float
    cpu_seconds: float  # of the worker
    network_seconds: float  # of all its threads
    peak_bytes: int  # of all processes

    @property
    def rate(self) -> float:
        return self.images / self.seconds


@dataclass
class Served:
    """One server, round by round: under full load, and with one client."""

    name: str
    full: list[Answers] = field(default_factory=list)
    single: list[Answers] = field(default_factory=list)
    peak_bytes: int = 0

    @property
    def rate(self) -> float:
        return statistics.median(answers.rate for answers in self.full)

    @property
    def range(self) -> tuple[float, float]:
        rates = [answers.rate for answers in self.full]
        return min(rates), max(rates)

    def latency(self, share: float, of: str) -> float:
        """A quantile of the answers `full` or `single`, in milliseconds, over all rounds."""
        rounds: list[Answers] = getattr(self, of)
        return 1000 * quantile([one for answers in rounds for one in answers.latencies], share)

    def overhead(self, share: float, decode: float) -> float:
        """The same for one client, less the network's own time and that of decoding (s)."""
        rest = [
            latency - network - decode
            for answers in self.single
            for latency, network in zip(answers.latencies, answers.network_seconds, strict=True)
        ]
        return 1000 * quantile(rest, share)


@dataclass
class Results:
    """One model: everything was measured in the same rounds, one after the other."""

    model: str
    weights: str
    variant: str
    alone: Alone
    limits: list[Limit] = field(default_factory=list)
    backlogs: list[Backlog] = field(default_factory=list)
    served: dict[str, Served] = field(default_factory=dict)

    def of(self, name: str) -> Served:
        return self.served.setdefault(name, Served(name))

    def ratios(self) -> dict[str, float]:
        """By what they are called; the median of the rounds'."""
        found = {
            "backlog / engine with decode": _median(
                backlog.rate / limit.with_decode
                for backlog, limit in zip(self.backlogs, self.limits, strict=True)
            )
        }
        if best := self._best_peer():
            found[f"Sightline / best peer in fp32 ({best.name})"] = _ratio(self.of(OURS), best)
            if REFERENCE in self.served:
                name = f"Sightline in torch fp32 / best peer in fp32 ({best.name})"
                found[name] = _ratio(self.of(REFERENCE), best)
        for name, peer in self.served.items():
            if name.startswith(BEST_ENGINE):
                found[f"Sightline / {name}"] = _ratio(self.of(OURS), peer)
        return found

    def _best_peer(self) -> Served | None:
        """The fastest that computes in fp32 and is not ours."""
        peers = [
            served
            for name, served in self.served.items()
            if name not in {OURS, REFERENCE} and not name.startswith(BEST_ENGINE)
        ]
        return max(peers, key=lambda served: served.rate, default=None)

    def to_json(self) -> dict[str, Any]:
        """All of it, without the single answers."""
        decode = self.alone.decode
        return {
            "model": self.model,
            "weights": self.weights,
            "variant": self.variant,
            "one_thread": asdict(self.alone),
            "raw_images_per_second": [asdict(limit) for limit in self.limits],
            "backlogs": [asdict(backlog) | {"rate": backlog.rate} for backlog in self.backlogs],
            "servers": [_server(served, decode) for served in self.served.values()],
            "ratios": self.ratios(),
        }


def _ratio(one: Served, other: Served) -> float:
    """Round by round, so that what disturbed both disturbs the ratio least."""
    return _median(a.rate / b.rate for a, b in zip(one.full, other.full, strict=True) if b.rate)


def _median(values: Any) -> float:
    found = list(values)
    return statistics.median(found) if found else float("nan")


def _server(served: Served, decode: float) -> dict[str, Any]:
    is_ours = served.name in {OURS, REFERENCE}
    return {
        "name": served.name,
        "images_per_second": [answers.rate for answers in served.full],
        "milliseconds": {
            of: {"p50": served.latency(0.5, of), "p99": served.latency(0.99, of)}
            for of in ("full", "single")
        },
        "overhead_milliseconds": {
            "p50": served.overhead(0.5, decode),
            "p99": served.overhead(0.99, decode),
        }
        if is_ours
        else None,
        "peak_bytes": served.peak_bytes,
    }
