"""Which version of a model is its champion, who challenges it, and what came before."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from django.db.models import F, QuerySet

from classifier.models import Alias, AliasChange, ModelVersion, Shadow
from classifier.queries.comparing import Comparison
from classifier.queries.gate import Line, gate

SHOWN_CHANGES = 20
ENOUGH = 30  # reviewed pictures, from which on a verdict is worth its words


@dataclass(frozen=True)
class Change:
    """A change of an alias, and the lines of the gate that a version was led past."""

    row: AliasChange

    @property
    def led_past(self) -> list[Line]:
        return [line for line in map(Line.from_json, self.row.gate) if not line.passed]


@dataclass(frozen=True)
class Deployment:
    """All versions of one name, in the order of their precedence, and who is what among them."""

    name: str
    versions: list[ModelVersion]

    @cached_property
    def champion(self) -> ModelVersion | None:
        return self._holder(Alias.CHAMPION)

    @cached_property
    def challenger(self) -> ModelVersion | None:
        return self._holder(Alias.CHALLENGER)

    @cached_property
    def rivals(self) -> list[ModelVersion]:
        """Those that could become the challenger."""
        return [version for version in self.versions if not version.alias]

    @cached_property
    def gate(self) -> list[Line]:
        """What the challenger would have to show."""
        return gate(self.challenger) if self.challenger else []

    @cached_property
    def passes(self) -> bool:
        return all(line.passed for line in self.gate)

    @cached_property
    def trial(self) -> "Trial | None":
        """How the challenger does beside the champion."""
        if self.champion is None or self.challenger is None:
            return None
        return trial(self.champion, self.challenger)

    @cached_property
    def changes(self) -> list[Change]:
        """The newest first."""
        rows = AliasChange.objects.filter(name=self.name)
        return [Change(row) for row in rows[:SHOWN_CHANGES]]

    def _holder(self, alias: Alias) -> ModelVersion | None:
        return next((version for version in self.versions if version.alias == alias), None)


@dataclass(frozen=True)
class Trial:
    """A challenger on the champion's traffic: how often both say the same, and who is right."""

    answered: int
    same: int
    waiting: int
    comparison: Comparison | None  # on what was reviewed; a gain is the challenger's

    @property
    def agreement(self) -> float:
        """The share of the images of which both say the same."""
        return self.same / self.answered

    @property
    def has_enough(self) -> bool:
        return self.comparison is not None and self.comparison.images >= ENOUGH

    @property
    def missing(self) -> int:
        """How many more reviews it takes for a verdict."""
        return ENOUGH - (self.comparison.images if self.comparison else 0)


def deployment(name: str) -> Deployment | None:
    """None where nothing of that name is installed."""
    versions = list(ModelVersion.objects.filter(name=name).by_precedence().defer("spec"))
    return Deployment(name, versions) if versions else None


def trial(champion: ModelVersion, challenger: ModelVersion) -> Trial:
    """Count what the challenger has answered of this champion's traffic."""
    shadows = challenger.shadows.filter(prediction__model_version=champion)
    answered = shadows.answered()
    return Trial(
        answered.count(),
        answered.filter(top_label=F("prediction__top_label")).count(),
        shadows.waiting().count(),
        _comparison(answered),
    )


def _comparison(answered: QuerySet[Shadow]) -> Comparison | None:
    """By the reviewed pictures, each counted once, by what was said of it last."""
    reviewed = answered.filter(prediction__review__isnull=False)
    rows = reviewed.order_by("prediction__review__reviewed_at").values_list(
        "prediction__image", "prediction__review__label", "prediction__top_label", "top_label"
    )
    latest = {image: (truth == first, truth == second) for image, truth, first, second in rows}
    if not latest:
        return None
    return Comparison(len(latest), _count(latest.values(), True), _count(latest.values(), False))


def _count(pairs: Iterable[tuple[bool, bool]], first: bool) -> int:
    """The pictures that only the one has right."""
    return sum(one is first and other is not first for one, other in pairs)
