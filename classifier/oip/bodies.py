"""The body of an inference request: JSON, and the tensors' bytes behind it where there are any.

https://github.com/kserve/open-inference-protocol describes the JSON, and the "binary tensor data"
extension of Triton what comes behind it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from rest_framework.request import Request

from classifier.encoded import Unreadable, parse_json
from classifier.oip.errors import Refused

HEADER_LENGTH = "Inference-Header-Content-Length"
MOST_DIMENSIONS = 4
LONGEST_DIMENSION = 2**31


@dataclass(frozen=True)
class Tensor:
    """An input as it was sent: its data as lists, or as bytes."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any] | bytes


@dataclass(frozen=True)
class Body:
    """An inference request, of whose outputs nothing is known yet."""

    id: str | None
    inputs: list[Tensor]
    outputs: list[dict[str, Any]]
    parameters: dict[str, Any]


def read_body(request: Request) -> Body:
    """Read a request, if it is not too large.

    Raises:
        Refused: if it is, or if it is not what the protocol says.
    """
    content = _read(request)
    length = _header_length(request, len(content))
    try:
        document = parse_json(content[:length])
    except Unreadable as error:
        raise Refused(str(error)) from error
    if not isinstance(document, dict):
        raise Refused("The request must be a JSON object.")
    inputs = _objects(document, "inputs")
    if not inputs:
        raise Refused("The request has no inputs.")
    return Body(
        _optional_text(document, "id"),
        list(_tensors(inputs, content[length:])),
        _objects(document, "outputs"),
        parameters_of(document, "The request"),
    )


def parameters_of(item: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The parameters of a request, an input or an output.

    Raises:
        Refused: if they are no object.
    """
    parameters = item.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise Refused(f"{where}: parameters must be an object.")
    return parameters


def _read(request: Request) -> bytes:
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        raise Refused("Send the body with its Content-Length, not in chunks.", 411)
    if encoding := request.META.get("HTTP_CONTENT_ENCODING"):
        raise Refused(f"Send the body as it is, not in the encoding {encoding!r}.", 415)
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    most = settings.API_MAX_BODY_BYTES
    if length > most:
        raise Refused(f"The body has {length} bytes; at most {most} are taken.", 413)
    content: bytes = request.read()
    return content


def _header_length(request: Request, size: int) -> int:
    """How many of the body's bytes are JSON."""
    said = request.headers.get(HEADER_LENGTH)
    if said is None:
        return size
    if not (said.isdecimal() and len(said) < 20 and int(said) <= size):
        raise Refused(f"{HEADER_LENGTH} must be a number of bytes, at most the body's {size}.")
    return int(said)


def _tensors(inputs: list[dict[str, Any]], rest: bytes) -> Iterator[Tensor]:
    """Give each input its data; what lies behind the JSON lies in the order of the inputs."""
    begin = 0
    for index, item in enumerate(inputs):
        name = _text(item, "name", f"Input {index}")
        where = f"Input {name!r}"
        size = parameters_of(item, where).get("binary_data_size")
        data = item.get("data")
        if size is not None:
            if type(size) is not int or not 0 <= size <= len(rest) - begin:
                raise Refused(f"{where}: binary_data_size must be at most the bytes that are left.")
            if data is not None:
                raise Refused(f"{where}: there is data in the JSON and behind it.")
            data = rest[begin : begin + size]
            begin += size
        elif not isinstance(data, list):
            raise Refused(f"{where}: data must be an array.")
        yield Tensor(name, _text(item, "datatype", where), _shape(item, where), data)
    if begin < len(rest):
        raise Refused(f"{len(rest) - begin} bytes behind the JSON belong to no input.")


def _shape(item: dict[str, Any], where: str) -> tuple[int, ...]:
    shape = item.get("shape")
    if not isinstance(shape, list) or not 1 <= len(shape) <= MOST_DIMENSIONS:
        raise Refused(f"{where}: shape must be an array of 1 to {MOST_DIMENSIONS} numbers.")
    if not all(type(size) is int and 0 < size < LONGEST_DIMENSION for size in shape):
        raise Refused(f"{where}: shape must have whole numbers from 1.")
    return tuple(shape)


def _objects(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    items = document.get(key)
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Refused(f"{key} must be an array of objects.")
    return items


def _text(item: dict[str, Any], key: str, where: str) -> str:
    value = item.get(key)
    if not isinstance(value, str):
        raise Refused(f"{where}: {key} must be a string.")
    return value


def _optional_text(document: dict[str, Any], key: str) -> str | None:
    return None if document.get(key) is None else _text(document, key, "The request")
