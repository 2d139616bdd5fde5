"""A date hierarchy whose cost does not grow with the table.

Django's own looks through every row for the years, months and days that occur. This one looks up
the first and the last row, by index, and offers every period between them.
"""

import calendar
from datetime import date
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _

UNITS = ("year", "month", "day")


class DatedChangeList(ChangeList):
    """A list of rows with `date_choices`, in place of what `{% date_hierarchy %}` finds out."""

    def date_choices(self) -> dict[str, Any] | None:
        """What `admin/date_hierarchy.html` shows: links into the period that is looked at."""
        if not self.date_hierarchy or not (span := self._first_and_last_day(self.date_hierarchy)):
            return None
        names = [f"{self.date_hierarchy}__{unit}" for unit in UNITS]
        chosen = [int(str(self.params[name])) for name in names if name in self.params]
        choices = [
            {"title": _title(period), "link": self._link(period)}
            for period in _periods_within(chosen, *span)
        ]
        if len(chosen) == len(UNITS):
            choices = [{"title": _title(chosen)}]
        back = {"title": _title(chosen[:-1]), "link": self._link(chosen[:-1])} if chosen else None
        return {"show": True, "back": back, "choices": choices}

    def _first_and_last_day(self, field: str) -> tuple[date, date] | None:
        moments = self.root_queryset.order_by().values_list(field, flat=True)
        first, last = moments.order_by(field).first(), moments.order_by(f"-{field}").first()
        return first and last and (timezone.localdate(first), timezone.localdate(last))

    def _link(self, period: list[int]) -> str:
        names = (f"{self.date_hierarchy}__{unit}" for unit in UNITS)
        chosen = dict(zip(names, period, strict=False))
        return self.get_query_string(chosen, [f"{self.date_hierarchy}__"])


def _periods_within(chosen: list[int], first: date, last: date) -> list[list[int]]:
    """The years, the months of a year, or the days of a month, that lie in a span of days."""
    match chosen:
        case []:
            candidates = list(range(first.year, last.year + 1))
        case [_year]:
            candidates = list(range(1, 13))
        case [year, month]:
            candidates = list(range(1, calendar.monthrange(year, month)[1] + 1))
        case _:
            return []
    periods = [[*chosen, candidate] for candidate in candidates]
    size = len(chosen) + 1
    bounds = [[day.year, day.month, day.day][:size] for day in (first, last)]
    return [period for period in periods if bounds[0] <= period <= bounds[1]]


def _title(period: list[int]) -> str:
    """A period as one reads it: `2026`, `November 2026`, `November 21`."""
    match period:
        case [year]:
            return str(year)
        case [year, month]:
            return capfirst(date_format(date(year, month, 1), "YEAR_MONTH_FORMAT"))
        case [year, month, day]:
            return capfirst(date_format(date(year, month, day), "MONTH_DAY_FORMAT"))
    return _("All dates")
