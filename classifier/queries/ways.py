"""The ways to compute a model version, side by side: what `optimize` measured of each."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from classifier.models import ModelVersion, Variant

Point = tuple[float, float]


@dataclass(frozen=True)
class Loss:
    """How much accuracy a way loses against the reference, as shares; low to high is likely."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Figures:
    """What was measured of one way; None is not known. Agreement and accuracy are shares."""

    images_per_second: float | None = None
    latency_seconds: float | None = None  # of one image alone
    memory_bytes: int | None = None
    file_bytes: int | None = None
    agreement: float | None = None  # with the reference, by best label
    agreement_confident: float | None = None  # where the reference is sure
    max_difference: float | None = None  # of any score
    images: int | None = None  # that agreement and accuracy were measured on
    max_batch: int | None = None
    accuracy: float | None = None
    accuracy_loss: Loss | None = None

    @classmethod
    def of(cls, measured: Mapping[str, Any]) -> "Figures":
        """Read a receipt's figures, whatever it has and lacks of them."""
        known = {field.name: measured.get(field.name) for field in fields(cls)}
        loss = known.pop("accuracy_loss")
        return cls(**known, accuracy_loss=Loss(**loss) if loss else None)


@dataclass(frozen=True)
class Way:
    """One way to compute a model version. The reference is one that no receipt is needed for."""

    name: str
    figures: Figures
    serves: bool
    passed: bool = True
    reason: str = ""  # why it passed the gate or did not
    variant: Variant | None = None  # none: the reference, and nobody measured it
    is_reference: bool = False


@dataclass(frozen=True)
class Measurement:
    """Where and when ways were measured, and by how many images."""

    machine: dict[str, Any]
    when: datetime
    images: int | None = None


def ways_of(version: ModelVersion) -> list[Way]:
    """The reference, then what `optimize` measured, the fastest first; one query."""
    variants = list(version.variants.all())
    name = f"{version.engine} fp32"
    reference = next((one for one in variants if str(one) == name), None)
    others = [_way(one, version) for one in variants if one is not reference]
    return [_reference(version, name, reference), *sorted(others, key=_slowness)]


def measurements(ways: Iterable[Way]) -> list[Measurement]:
    """Where ways were measured, each with the last time, the newest first."""
    known = [way.variant for way in ways if way.variant]
    found: dict[str, Measurement] = {}
    for variant in sorted(known, key=lambda one: one.created_at, reverse=True):
        machine, images = variant.receipt.get("machine") or {}, variant.measured.get("images")
        same = json.dumps([machine, images], sort_keys=True)
        found.setdefault(same, Measurement(machine, variant.created_at, images))
    return list(found.values())


def pareto_front(points: Iterable[Point]) -> list[Point]:
    """Those points that no other one equals or beats in both coordinates, from left to right."""
    front: list[Point] = []
    for point in sorted(set(points), reverse=True):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    return front[::-1]


def _way(variant: Variant, version: ModelVersion) -> Way:
    return Way(
        name=str(variant),
        figures=Figures.of(variant.measured),
        serves=variant.pk == version.variant_id,
        passed=variant.passed,
        reason=(variant.receipt.get("gate") or {}).get("reason", ""),
        variant=variant,
    )


def _reference(version: ModelVersion, name: str, variant: Variant | None) -> Way:
    serves = version.variant_id in {None, variant and variant.pk}
    if variant is None:
        return Way(name, Figures(), serves, is_reference=True)
    way = replace(_way(variant, version), serves=serves, passed=True, is_reference=True)
    if way.figures.images_per_second and way.figures.agreement is None:
        return replace(way, figures=replace(way.figures, agreement=1.0))
    return way


def _slowness(way: Way) -> float:
    return -(way.figures.images_per_second or 0)
