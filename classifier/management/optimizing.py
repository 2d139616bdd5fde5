"""Build, probe and judge the ways to compute a model version, one after another."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from classifier.actions.variants import NewVariant, keep_variant
from classifier.management.evidence import Evidence
from classifier.ml.agreement import Agreement, compare
from classifier.ml.building import build, candidates
from classifier.ml.findings import finding_file
from classifier.ml.gate import GATE, REFERENCE_PASSES, judge
from classifier.ml.machine import machine_facts
from classifier.ml.network import Network
from classifier.ml.probing import Probe, answers, probed
from classifier.ml.pruning import PrunedNetwork
from classifier.ml.refusal import Refusal
from classifier.ml.variant import Variant
from classifier.models import ModelVersion
from classifier.models import Variant as Kept


@dataclass(frozen=True)
class Plan:
    """A variant to try, and how it gets the file that its engine loads."""

    variant: Variant
    build: Callable[[], Variant]


@dataclass(frozen=True)
class Outcome:
    """What became of a variant: its row, or why there is none."""

    name: str
    reason: str
    kept: Kept | None = None

    @property
    def speed(self) -> float:
        """Images a second; 0 for what must not serve."""
        return float(self.kept.measured["images_per_second"]) if self.passed and self.kept else 0

    @property
    def passed(self) -> bool:
        return self.kept is not None and self.kept.passed


class Bench:
    """Where the variants of one model version are measured, by the same images for all."""

    def __init__(
        self,
        version: ModelVersion,
        network: Network,
        evidence: Evidence,
        *,
        replace_serving: bool = True,
    ) -> None:
        self.version = version
        self.network = network
        self.evidence = evidence
        self.replace_serving = replace_serving

    def plans(self, engines: Sequence[str], folder: Path) -> list[Plan]:
        """What this machine can try of these engines, the reference first. Files go to `folder`."""

        def plan(variant: Variant) -> Plan:
            calibration = self.evidence.calibration
            return Plan(variant, lambda: build(self.network, variant, calibration, folder))

        reference = self.network.reference
        return [
            plan(one) for one in candidates(reference) if one == reference or one.engine in engines
        ]

    def pruned_plans(self, pruned: PrunedNetwork, engines: Sequence[str]) -> list[Plan]:
        """The same for a pruned network, which is exported."""

        def plan(variant: Variant) -> Plan:
            return Plan(variant, lambda: pruned.build(variant, self.evidence.calibration))

        return [plan(one) for one in pruned.candidates() if one.engine in engines]

    def try_out(self, plan: Plan) -> Outcome:
        """Build, measure and keep a variant. What fails has its reason in the outcome.

        Raises:
            Refusal: if it is the reference that fails: there is nothing to compare with then.
        """
        try:
            new = self._measured(plan.build())
        except Exception as error:  # beyond what is refused, libraries raise whatever they like
            if plan.variant == self.network.reference:
                raise
            return Outcome(str(plan.variant), _reason(error))
        kept = keep_variant(self.version, new, replace_serving=self.replace_serving)
        return Outcome(str(plan.variant), new.receipt["gate"]["reason"], kept)

    def _measured(self, variant: Variant) -> NewVariant:
        finding_file(self.network, variant, settings.CACHE_DIR).unlink(missing_ok=True)
        probe = probed(self.network, variant, settings.CACHE_DIR, self.evidence.sample)
        is_reference = variant == self.network.reference
        answered = self._expected if is_reference else self._answers(variant, probe)
        found = compare(self._expected, answered, self.evidence.truth)
        verdict = REFERENCE_PASSES if is_reference else judge(found)
        receipt = {
            "measured": self._figures(variant, probe, found),
            "gate": {**asdict(verdict), "thresholds": asdict(GATE)},
            "data": self.evidence.facts(),
            "model": {"name": str(self.version), "sha256": self.version.sha256},
            "machine": machine_facts(),
        }
        return NewVariant(
            variant.engine, variant.precision, variant.recipe, variant.file, receipt, verdict.passed
        )

    def _figures(self, variant: Variant, probe: Probe, found: Agreement) -> dict[str, Any]:
        return {
            "images_per_second": probe.images_per_second,
            "latency_seconds": probe.latency_seconds,
            "memory_bytes": probe.memory_bytes,
            "file_bytes": (variant.file or self.network.weights).stat().st_size,
            "load_seconds": probe.load_seconds,
            "max_batch": probe.max_batch,
            **found.to_json(),
        }

    @cached_property
    def _expected(self) -> np.ndarray:
        """The reference's probabilities (n, classes)."""
        return answers(self.network, self.network.reference, self.evidence.measured, 8, {})

    def _answers(self, variant: Variant, probe: Probe) -> np.ndarray:
        pixels = self.evidence.measured
        return answers(self.network, variant, pixels, probe.max_batch, probe.environment)


def _reason(error: Exception) -> str:
    """One line that says what went wrong."""
    text = (str(error).strip().splitlines() or [""])[0]
    return text if isinstance(error, Refusal) else f"{type(error).__name__}: {text}"


def fastest(outcomes: Sequence[Outcome]) -> Outcome:
    """The fastest of those that passed the gate, which the reference is among."""
    return max(outcomes, key=lambda outcome: outcome.speed)
