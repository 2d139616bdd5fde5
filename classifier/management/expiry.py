"""When something is to end, as one writes it on a command line."""

import re
from datetime import datetime, time, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_date

from classifier.management.refusals import refuse

UNITS = {"d": "days", "h": "hours", "m": "minutes"}
RIGHT = "90d, 12h, 30m, or a date as 2030-12-31, are understood"


def expiry(given: str | None) -> datetime | None:
    """The moment that `90d`, `12h`, `30m` from now or a date's first second stand for.

    None where nothing is given: then there is no end.

    Raises:
        CommandError: if it is none of these, has passed already, or is beyond the calendar.
    """
    if given is None:
        return None
    try:
        moment = _from_now(given) or _first_second_of(given)
    except (OverflowError, ValueError) as error:
        raise refuse(f"{given} is no time that there will be; {RIGHT}.") from error
    if moment is None:
        raise refuse(f"{given} is no time to expire at; {RIGHT}.")
    if moment <= timezone.now():
        raise refuse(f"{given} has passed; give a time that is to come.")
    return moment


def _from_now(given: str) -> datetime | None:
    if not (found := re.fullmatch(r"([0-9]+)([dhm])", given)):
        return None
    return timezone.now() + timedelta(**{UNITS[found[2]]: int(found[1])})


def _first_second_of(given: str) -> datetime | None:
    date = parse_date(given)
    return timezone.make_aware(datetime.combine(date, time.min)) if date else None
