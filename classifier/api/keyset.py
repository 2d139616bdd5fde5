"""Pages by the key of their last row: right while rows come and go.

The framework's own cursor believes what it is sent, and loses its place among equal scores.
"""

import json
import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from classifier.api.problems import Problem
from classifier.api.slips import fault, wrong

SIZE = re.compile(r"[1-9][0-9]{0,2}")


@dataclass(frozen=True)
class Order:
    """By a field and then by the id, or by the id alone, which is the order of creation."""

    descending: bool
    field: str | None

    def sorted(self, rows: QuerySet[Any], *, back: bool) -> QuerySet[Any]:
        sign = "-" if self.descending != back else ""
        if self.field is None:
            return rows.order_by(f"{sign}id")
        # Rows that have no such value have no place.
        present = rows.filter(**{f"{self.field}__isnull": False})
        return present.order_by(f"{sign}{self.field}", f"{sign}id")


@dataclass(frozen=True)
class Cursor:
    """The row to go on from, or to go back from; `value` is what orders before its id."""

    back: bool
    key: UUID
    value: float | None

    def __str__(self) -> str:
        text = json.dumps([int(self.back), self.key.hex, self.value])
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def beyond(self, order: Order) -> Q:
        """What comes after it, or before it if it goes back."""
        compare = "lt" if order.descending != self.back else "gt"
        further = Q(**{f"id__{compare}": self.key})
        if order.field is None:
            return further
        same = Q(**{order.field: self.value})
        return Q(**{f"{order.field}__{compare}": self.value}) | same & further


def parse_cursor(text: str, order: Order) -> Cursor | None:
    """Read what a link of ours had; None if it is something else."""
    try:
        back, key, value = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        cursor = Cursor(bool(back), UUID(hex=key), value)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    fits = value is None if order.field is None else type(value) is float and math.isfinite(value)
    return cursor if fits else None


class KeysetPages(BasePagination):
    """`page_size` rows, in an order that `ordering` names; `next` and `previous` lead on."""

    page_size = 24
    largest = 200
    orderings: dict[str, str | None] = {"created_at": None}  # the field that orders before the id
    default = "-created_at"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Read the page that is asked for.

        Raises:
            Problem: if it is asked for in a way that makes no sense.
        """
        self.request, self.order = request, self._order(request)
        size, cursor = self._size(request), self._cursor(request)
        back = cursor is not None and cursor.back
        if cursor:
            queryset = queryset.filter(cursor.beyond(self.order))
        found = list(self.order.sorted(queryset, back=back)[: size + 1])
        self.page = found[:size][::-1] if back else found[:size]
        more, came_from = len(found) > size, cursor is not None
        self.has_next, self.has_previous = (came_from, more) if back else (more, came_from)
        return self.page

    def get_paginated_response(self, data: Any) -> Response:
        """The page, with the addresses of its neighbours."""
        return Response(
            {
                "next": self._link(-1, back=False) if self.has_next else None,
                "previous": self._link(0, back=True) if self.has_previous else None,
                "results": data,
            }
        )

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """What the schema says of the parameters."""
        size = {"type": "integer", "minimum": 1, "maximum": self.largest, "default": self.page_size}
        order = {"type": "string", "enum": self._known(), "default": self.default}
        cursor = {"type": "string"}
        return [
            _parameter("cursor", cursor, "Where a page begins; `next` and `previous` have it."),
            _parameter("ordering", order, "With a hyphen, the greatest comes first."),
            _parameter("page_size", size, "How many at a time."),
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """What the schema says of a page."""
        link = {"type": ["string", "null"], "format": "uri"}
        properties = {"next": link, "previous": link, "results": schema}
        return {"type": "object", "required": [*properties], "properties": properties}

    def _order(self, request: Request) -> Order:
        asked = request.query_params.get("ordering", self.default)
        if asked not in self._known():
            known = ", ".join(self._known())
            raise wrong(fault("ordering", "invalid", f"This must be one of {known}."))
        name = asked.removeprefix("-")
        return Order(asked != name, self.orderings[name])

    def _known(self) -> list[str]:
        return [f"{sign}{name}" for name in self.orderings for sign in ("", "-")]

    def _size(self, request: Request) -> int:
        asked = request.query_params.get("page_size", str(self.page_size))
        if not SIZE.fullmatch(asked) or int(asked) > self.largest:
            detail = f"This must be a whole number from 1 to {self.largest}."
            raise wrong(fault("page_size", "invalid", detail))
        return int(asked)

    def _cursor(self, request: Request) -> Cursor | None:
        asked = request.query_params.get("cursor")
        if asked is None:
            return None
        cursor = parse_cursor(asked, self.order)
        if cursor is None:
            detail = "There is no such page; follow next and previous as they are."
            raise Problem("not_found", detail, [fault("cursor", "invalid", detail)])
        return cursor

    def _link(self, position: int, *, back: bool) -> str:
        url = self.request.build_absolute_uri()
        if not self.page:  # all that was there is gone
            return str(remove_query_param(url, "cursor"))
        row = self.page[position]
        value = getattr(row, self.order.field) if self.order.field else None
        return str(replace_query_param(url, "cursor", str(Cursor(back, row.id, value))))


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}
