"""Which models there are: versions by name, and which of them serve."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from classifier.models import ModelVersion


@dataclass(frozen=True)
class Model:
    """All versions of one name, as they take precedence: the first is what the name alone means."""

    name: str
    versions: list[ModelVersion]
    serving: ModelVersion | None  # of all models, not of this one

    @property
    def serves(self) -> bool:
        return self.serving in self.versions


def model_names() -> QuerySet[ModelVersion, str]:
    """The names, in the order of the alphabet."""
    return ModelVersion.objects.order_by("name").values_list("name", flat=True).distinct()


def models_of(names: Iterable[str]) -> list[Model]:
    """The models of these names, without those that nobody has installed."""
    by_name = defaultdict(list)
    versions = ModelVersion.objects.select_related("variant").defer("variant__receipt")
    for version in versions.filter(name__in=names).by_precedence():
        by_name[version.name].append(version)
    serving = serving_version()
    return [Model(name, versions, serving) for name, versions in sorted(by_name.items())]


def serving_version() -> ModelVersion | None:
    """The version that classifies where none is asked for, if any does."""
    try:
        return ModelVersion.objects.serving()
    except ModelVersion.DoesNotExist:
        return None
