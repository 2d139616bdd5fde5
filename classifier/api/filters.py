"""Which of one's predictions a list shows."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, cast

from django.db.models import Q
from django.db.models.fields.json import KeyTransform
from django.http import QueryDict
from django_filters import rest_framework as filters
from rest_framework.renderers import BrowsableAPIRenderer

from classifier.api.filter_fields import ChoicesFilter, MomentFilter, ShareFilter, TextFilter
from classifier.api.problems import Fault
from classifier.api.slips import fault, unknown, wrong
from classifier.models import Source, Status
from classifier.models.prediction import PredictionQuerySet

METADATA = "metadata."
KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,99}")
NEVER_EMPTY = ("min_score", "max_score", "created_after", "created_before", "batch")
LONGEST_NUMBER = 40  # characters
ALWAYS_KNOWN = ("cursor", "format", "ordering", "page_size")


class PredictionFilter(filters.FilterSet):
    """Each parameter keeps fewer; `metadata.NAME` keeps those with this value under NAME."""

    status = ChoicesFilter(
        choices=Status.choices, help_text="In this state; may be given several times."
    )
    model = TextFilter(
        method="of_model", max_length=100, help_text="Of this model: `name` or `name@version`."
    )
    label = TextFilter(
        field_name="top_label", max_length=255, help_text="With this very label first."
    )
    min_score = ShareFilter(
        field_name="top_score", lookup_expr="gte", help_text="Whose best score is at least this."
    )
    max_score = ShareFilter(
        field_name="top_score", lookup_expr="lte", help_text="Whose best score is at most this."
    )
    created_after = MomentFilter(
        field_name="created_at", lookup_expr="gte", help_text="Made at this time or later."
    )
    created_before = MomentFilter(
        field_name="created_at", lookup_expr="lt", help_text="Made before this time."
    )
    source = ChoicesFilter(
        choices=Source.choices, help_text="That came this way; may be given several times."
    )
    batch = filters.UUIDFilter(field_name="batch_id", help_text="Of this batch.")

    def of_model(self, rows: PredictionQuerySet, _name: str, reference: str) -> PredictionQuerySet:
        name, _, version = reference.partition("@")
        rows = rows.filter(model_version__name=name)
        if not version:
            return rows
        numeric = version.isascii() and version.isdecimal()
        return rows.filter(model_version__version=version) if numeric else rows.none()

    def filter_queryset(self, queryset: Any) -> Any:
        """Keep those that match all parameters."""
        for name, value in cast("QueryDict", self.data).items():
            if name.startswith(METADATA):
                key = name.removeprefix(METADATA)
                queryset = _with_metadata(queryset, key, cast("str", value))
        return super().filter_queryset(queryset)


class StrictFilterBackend(filters.DjangoFilterBackend):
    """Refuses what it does not know: a slip in a name would otherwise show everything."""

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        """Filter.

        Raises:
            Problem: naming the parameters that nobody knows.
            ValidationError: naming the values that cannot be.
        """
        filterset, query = self.get_filterset_class(view, queryset), request.query_params
        given = [name for name in query if not (filterset and name.startswith(METADATA))]
        known = [*(filterset.base_filters if filterset else ()), *ALWAYS_KNOWN]
        faults = [*unknown(given, known, "parameter"), *_wrong_metadata(query)]
        if not isinstance(request.accepted_renderer, BrowsableAPIRenderer):
            faults += _empty(query)  # our form sends them too
        if faults:
            raise wrong(*faults)
        return super().filter_queryset(request, queryset, view)


def _with_metadata(rows: PredictionQuerySet, key: str, value: str) -> PredictionQuerySet:
    """Those whose metadata has the value under the key: as a text, or as what it is in JSON."""
    alias = f"metadata_{len(rows.query.annotations)}"  # the key itself never becomes a lookup
    wanted = Q(**{alias: value})
    if (other := _meaning(value)) is not None:
        wanted |= Q(**{alias: other})
    return rows.alias(**{alias: KeyTransform(key, "metadata")}).filter(wanted)


def _meaning(value: str) -> bool | int | float | None:
    """The number or truth that a text is in JSON, if it is one."""
    if len(value) > LONGEST_NUMBER:
        return None
    try:
        meaning = json.loads(value, parse_constant=str)
    except ValueError:
        return None
    fits = isinstance(meaning, int) or (isinstance(meaning, float) and math.isfinite(meaning))
    return meaning if fits else None


def _empty(query: QueryDict) -> Iterator[Fault]:
    """What must have a value, and has none."""
    for name in NEVER_EMPTY:
        if query.get(name) == "":
            yield fault(name, "invalid", "This must not be empty; leave it away.")


def _wrong_metadata(query: QueryDict) -> Iterator[Fault]:
    """What databases would stumble over, or take for a place in a list."""
    for name, value in query.items():
        if not name.startswith(METADATA):
            continue
        if not KEY.fullmatch(name.removeprefix(METADATA)):
            detail = "A key to filter by is a name: a letter, then letters, digits and _ - . :"
            yield fault(name, "invalid", detail)
        if "\x00" in value:
            yield fault(name, "invalid", "The value must not have the character NUL.")
