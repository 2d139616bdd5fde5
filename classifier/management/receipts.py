"""What `optimize` found, as lines of a table and as JSON."""

from typing import Any

from classifier.management.numbers import percent
from classifier.management.optimizing import Outcome

HEADINGS = (
    *("VARIANT", "IMAGES/S", "LATENCY", "BATCH", "MEMORY", "FILE"),
    *("AGREES", "SURE", "DIFFERS", "ACCURACY", "LOSS", ""),
)
NUMERIC = set(range(1, 11))


def facts(outcome: Outcome) -> dict[str, Any]:
    """The outcome for programs."""
    return {
        "variant": outcome.name,
        "passed": outcome.passed,
        "reason": outcome.reason,
        "measured": outcome.kept.measured if outcome.kept else None,
    }


def cells(outcome: Outcome) -> tuple[str, ...]:
    """The outcome as a row under HEADINGS."""
    if outcome.kept is None:
        return (outcome.name, *["-"] * 10, f"failed: {outcome.reason}")
    found = outcome.kept.measured
    return (
        outcome.name,
        f"{found['images_per_second']:.1f}",
        f"{1000 * found['latency_seconds']:.1f} ms",
        str(found["max_batch"]),
        _megabytes(found["memory_bytes"]),
        _megabytes(found["file_bytes"]),
        _percent(found["agreement"]),
        _percent(found["agreement_confident"]),
        f"{found['max_difference']:.4f}",
        _percent(found["accuracy"]),
        _loss(found["accuracy_loss"]),
        f"{'passed' if outcome.passed else 'not passed'}: {outcome.reason}",
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _percent(share: float | None) -> str:
    return "-" if share is None else percent(share)


def _loss(loss: dict[str, float] | None) -> str:
    """In points, with the interval that holds it with 95 % confidence."""
    if loss is None:
        return "-"
    value, low, high = (f"{100 * loss[name]:+.1f}" for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
