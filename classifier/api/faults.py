"""What serializers and filters find wrong, one by one, each with the place where it is."""

from collections.abc import Iterator
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from classifier.api.problems import Fault

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def faults_of(error: ValidationError, request: Request) -> list[Fault]:
    """Flatten the nested findings. Requests without a body can only be wrong in their query."""
    in_body = request.method in WITH_BODY
    return [
        {"pointer": where, "code": code, "detail": detail}
        if in_body
        else {"parameter": where.lstrip("/"), "code": code, "detail": detail}
        for where, code, detail in _flatten(error.get_full_details(), "")
    ]


def _flatten(details: Any, where: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(details, list):
        for index, item in enumerate(details):
            # A list of texts is about one value, a list of anything else about the items of one.
            yield from _flatten(item, where if _is_text(item) else f"{where}/{index}")
    elif _is_text(details):
        yield where, str(details["code"]), str(details["message"])
    else:
        for key, item in details.items():
            yield from _flatten(item, where if key == "non_field_errors" else where + _token(key))


def _is_text(details: Any) -> bool:
    return isinstance(details, dict) and details.keys() == {"message", "code"}


def _token(key: object) -> str:
    """A key as a pointer has it (RFC 6901)."""
    return "/" + str(key).replace("~", "~0").replace("/", "~1")
