"""Insert rows without having the ORM write the same statement anew each time.

That takes it longer than the database needs for the row. As `bulk_create` does, this sends no
signals; the keys of the rows must be known.
"""

import functools
from collections.abc import Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models


def insert(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model with one statement."""
    if rows:
        _execute(rows, "")


def insert_unless_there(row: models.Model) -> bool:
    """Insert a row. False if one that it must not stand beside is there: nothing is done then.

    Waits for a transaction that is inserting such a row.
    """
    return _execute([row], " ON CONFLICT DO NOTHING") > 0


def _execute(rows: Sequence[models.Model], conflicts: str) -> int:
    connection = connections[DEFAULT_DB_ALIAS]  # itself: the proxy looks it up for every value
    fields = _fields(type(rows[0]))
    parameters = [
        field.get_db_prep_save(field.pre_save(row, add=True), connection)
        for row in rows
        for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(_sql(type(rows[0]), len(rows)) + conflicts, parameters)
        inserted: int = cursor.rowcount
    for row in rows[:inserted]:
        row._state.adding, row._state.db = False, connection.alias
    return inserted


@functools.cache
def _fields(model: type[models.Model]) -> "list[models.Field[Any, Any]]":
    return list(model._meta.local_concrete_fields)


@functools.lru_cache(maxsize=256)
def _sql(model: type[models.Model], count: int) -> str:
    columns = [field.column for field in _fields(model)]
    names = ", ".join(f'"{column}"' for column in columns)
    placeholders = "(" + ", ".join(["%s"] * len(columns)) + ")"
    values = ", ".join([placeholders] * count)
    return f'INSERT INTO "{model._meta.db_table}" ({names}) VALUES {values}'  # noqa: S608
