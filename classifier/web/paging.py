"""Pages of a table's rows by key, so that the last page costs what the first does."""

import uuid
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import QuerySet

from classifier.models import Delivery, Prediction

Row = TypeVar("Row", Prediction, Delivery)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows, newest first, and the keys to go on from; None where there is nothing further."""

    rows: list[Row]
    older_than: uuid.UUID | None
    newer_than: uuid.UUID | None


def before(rows: QuerySet[Row], key: uuid.UUID | None, size: int) -> Page[Row]:
    """The `size` rows right before `key` in time; the newest where there is no key."""
    found = list((rows.filter(id__lt=key) if key else rows).order_by("-id")[: size + 1])
    page = found[:size]
    return Page(
        rows=page,
        older_than=page[-1].id if len(found) > size else None,
        newer_than=page[0].id if key and page else None,
    )


def after(rows: QuerySet[Row], key: uuid.UUID, size: int) -> Page[Row]:
    """The `size` rows right after `key` in time; the newest where fewer are left."""
    found = list(rows.filter(id__gt=key).order_by("id")[: size + 1])
    if len(found) <= size:
        return before(rows, None, size)
    page = found[:size][::-1]
    return Page(rows=page, older_than=page[-1].id, newer_than=page[0].id)
