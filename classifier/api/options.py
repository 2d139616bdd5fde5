"""What can be asked for beside the picture: parsed strictly, so that no slip passes unseen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.http import QueryDict
from rest_framework.request import Request

from classifier.api.problems import Fault
from classifier.api.slips import Place, fault, named, unknown, wrong
from classifier.api.values import CHECKS, FROM_TEXT, Wrong, last
from classifier.models import Event, Priority

OF_OUR_PAGE = "csrfmiddlewaretoken"


@dataclass(frozen=True)
class Options:
    """What a request asks for; what it does not name is as here."""

    model: str = ""
    top_k: int | None = None
    threshold: float | None = None
    priority: Priority = Priority.NORMAL
    expires_in: int | None = None
    webhook: str = ""
    webhook_events_filter: tuple[str, ...] = (Event.COMPLETED.value,)
    metadata: dict[str, Any] = field(default_factory=dict)
    filename: str = ""


NAMES = tuple(item.name for item in fields(Options))
QUERY_NAMES = (*NAMES, "format")


def check_options(given: Mapping[str, object], place: Place) -> tuple[dict[str, Any], list[Fault]]:
    """Check values as they are in JSON. Returns the good ones by name, and what is wrong with the
    others. None is as good as not given.
    """
    good: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, value in given.items():
        if value is None:
            continue
        try:
            good[name] = CHECKS[name](value)
        except Wrong as error:
            faults.append(fault(named(name, place), "invalid", str(error)))
    return good, faults


def from_texts(texts: QueryDict) -> dict[str, object]:
    """The options among a query's or a form's fields, as JSON would have them."""
    given = {name: texts.getlist(name) for name in NAMES if name in texts}
    if OF_OUR_PAGE in texts:  # whose browser sends the fields that nobody has filled in, too
        given = {name: filled for name, some in given.items() if (filled := [t for t in some if t])}
    return {name: FROM_TEXT.get(name, last)(values) for name, values in given.items()}


def read_options(
    request: Request, given: Mapping[str, object] | None = None, faults: Iterable[Fault] = ()
) -> Options:
    """The options of the query and those of the body, which take precedence.

    Args:
        request: with the query.
        given: what the body says, by name.
        faults: what is known to be wrong already.

    Raises:
        Problem: naming all that is wrong.
    """
    query = request.query_params
    of_query, wrong_in_query = check_options(from_texts(query), "parameter")
    of_body, wrong_in_body = check_options(given or {}, "pointer")
    unknown_in_query = unknown(query, QUERY_NAMES, "parameter")
    if all_faults := [*faults, *wrong_in_body, *unknown_in_query, *wrong_in_query]:
        raise wrong(*all_faults)
    return Options(**{**of_query, **of_body})
