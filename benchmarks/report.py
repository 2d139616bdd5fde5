"""What was measured as a table in Markdown, as JSON, and as a picture."""

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import OURS, Results

MEGABYTE = 1_000_000
BARS = ("#2a9d8f", "#9aa5b1")  # ours, and others'


def markdown(results: Sequence[Results], machine: dict[str, Any], clients: int) -> str:
    lines = [", ".join(f"{name} {value}" for name, value in machine.items() if value), ""]
    for result in results:
        lines += [*_of_model(result, clients), ""]
    return "\n".join(lines)


def _of_model(result: Results, clients: int) -> Iterator[str]:
    yield f"**{result.model}** ({result.weights}), served by {result.variant}:"
    yield ""
    yield f"| what | images/s | range | {clients} clients p50 | p99 | 1 client p50 | p99 | MB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    batch = result.alone.batch
    engine = [limit.engine for limit in result.limits]
    with_decode = [limit.with_decode for limit in result.limits]
    yield f"| engine alone, batches of {batch} | {_rates(engine)} | | | | | |"
    yield f"| engine and decoder alone | {_rates(with_decode)} | | | | | |"
    if result.backlogs:
        rates = [backlog.rate for backlog in result.backlogs]
        memory = max(backlog.peak_bytes for backlog in result.backlogs) / MEGABYTE
        yield (
            f"| Sightline, backlog of {result.backlogs[0].images:,} | {_rates(rates)} "
            f"| | | | | {memory:,.0f} |"
        )
    for served in result.served.values():
        times = " | ".join(
            f"{served.latency(share, of):,.0f} ms"
            for of in ("full", "single")
            for share in (0.5, 0.99)
        )
        rates = _rates([answers.rate for answers in served.full])
        yield f"| {served.name} | {rates} | {times} | {served.peak_bytes / MEGABYTE:,.0f} |"
    yield ""
    yield from (f"- {name}: **{ratio:.2f}**" for name, ratio in result.ratios().items())
    yield from _costs(result)


def _rates(rates: Sequence[float]) -> str:
    return f"{statistics.median(rates):.1f} | {min(rates):.1f} to {max(rates):.1f}"


def _costs(result: Results) -> Iterator[str]:
    """What stands between the whole and its parts."""
    decode, forward = 1000 * result.alone.decode, 1000 * result.alone.forward
    yield f"- one thread, one image: {decode:.1f} ms to decode, {forward:.1f} ms in the network"
    if OURS in result.served:
        ours = result.served[OURS]
        p50, p99 = (ours.overhead(share, result.alone.decode) for share in (0.5, 0.99))
        yield (
            f"- one client, less decoding and the network: **{p50:.1f} ms** p50, "
            f"**{p99:.1f} ms** p99, of {sum(len(a.latencies) for a in ours.single)}"
        )
    if result.backlogs:
        backlog = result.backlogs[-1]
        cpu = 1000 * backlog.cpu_seconds / backlog.images
        network = 1000 * backlog.network_seconds / backlog.images
        yield f"- backlog: {cpu:.2f} ms of the worker's CPU an image, {network:.2f} in the network"


def write(results: Sequence[Results], machine: dict[str, Any], clients: int, out: Path) -> str:
    """Leave results.md, results.json and results.svg in a folder. Returns the Markdown."""
    out.mkdir(parents=True, exist_ok=True)
    text = markdown(results, machine, clients)
    (out / "results.md").write_text(text)
    content = {
        "machine": machine,
        "clients": clients,
        "models": [result.to_json() for result in results],
    }
    (out / "results.json").write_text(json.dumps(content, indent=1) + "\n")
    _draw(results, clients, out / "results.svg")
    return text


def _draw(results: Sequence[Results], clients: int, target: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    height = sum(len(_bars(result)) for result in results)
    figure, axes = pyplot.subplots(
        len(results),
        figsize=(9, 1.2 * len(results) + 0.35 * height),
        squeeze=False,
        layout="constrained",
        height_ratios=[len(_bars(result)) + 2 for result in results],
    )
    for axis, result in zip(axes[:, 0], results, strict=True):
        names, rates = zip(*_bars(result), strict=True)
        colours = [BARS[0] if name.startswith("Sightline") else BARS[1] for name in names]
        axis.bar_label(axis.barh(names, rates, color=colours), fmt="%.1f", padding=3)
        axis.invert_yaxis()
        axis.set_title(f"{result.model}, {result.variant}: images/s", loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1, 0].set_xlabel(f"by HTTP: {clients} clients, each with one image at a time")
    figure.savefig(target)


def _bars(result: Results) -> list[tuple[str, float]]:
    bars = [
        ("engine alone", statistics.median(limit.engine for limit in result.limits)),
        ("engine and decoder", statistics.median(limit.with_decode for limit in result.limits)),
    ]
    if result.backlogs:
        rate = statistics.median(backlog.rate for backlog in result.backlogs)
        bars.append(("Sightline, backlog", rate))
    return bars + [(f"{served.name}, HTTP", served.rate) for served in result.served.values()]
