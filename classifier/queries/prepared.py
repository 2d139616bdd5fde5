"""Queries that are put into words once.

For a query that finds one row the ORM takes ten times as long to write the SQL as the database to
answer it. What every upload asks is therefore written at its first use, and only asked after that.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Value
from django.db.models.query import get_related_populators

Row = TypeVar("Row", bound=models.Model)


class Prepared(Generic[Row]):
    """A query for whole rows, whose parameters are given when it is asked.

    Args:
        build: makes the query set of its parameters, by name, and of nothing else that changes.
        fields: of what type each parameter is, by the same names.
    """

    def __init__(
        self, build: "Callable[..., models.QuerySet[Row]]", **fields: "models.Field[Any, Any]"
    ) -> None:
        self._build = build
        self._fields = fields

    def __call__(self, **given: object) -> list[Row]:
        """Ask. One that locks rows needs a transaction, as ever."""
        statement = self._statement
        connection = connections[DEFAULT_DB_ALIAS]  # itself: the proxy looks it up for every value
        parameters = [_in_sql(one, given, connection) for one in statement.parameters]
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, parameters)
            return [statement.instance(row, connection) for row in cursor.fetchall()]

    @functools.cached_property
    def _statement(self) -> "_Statement":
        given = {name: _Parameter(name, field) for name, field in self._fields.items()}
        query = self._build(**given).query
        compiler = query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        return _Statement(sql, parameters, compiler)


class _Parameter(Value):
    """Stands in the query for a value that is not known yet."""

    def as_sql(self, *_: Any) -> tuple[str, Any]:
        return "%s", [self]


def _in_sql(parameter: object, given: Mapping[str, object], connection: BaseDatabaseWrapper) -> Any:
    if not isinstance(parameter, _Parameter):
        return parameter
    return parameter.output_field.get_db_prep_value(given[parameter.value], connection)


class _Statement:
    """What the ORM has written, and how it makes instances of what comes back."""

    def __init__(self, sql: str, parameters: Sequence[object], compiler: Any) -> None:
        self.sql, self.parameters = sql, parameters
        info, columns = compiler.klass_info, compiler.select
        fields = info["select_fields"]
        self._own = slice(fields[0], fields[-1] + 1)
        self._model = info["model"]
        self._names = [column.target.attname for column, *_ in columns[self._own]]
        self._converters = compiler.get_converters([column for column, *_ in columns])
        self._related = get_related_populators(info, columns, compiler.using)  # type: ignore[call-arg]

    def instance(self, row: Sequence[Any], connection: BaseDatabaseWrapper) -> Any:
        values = list(row)
        for position, (convert, expression) in self._converters.items():
            for one in convert:
                values[position] = one(values[position], expression, connection)
        made = self._model.from_db(connection.alias, self._names, values[self._own])
        for related in self._related:
            related.populate(values, made)
        return made
