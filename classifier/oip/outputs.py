"""The one output that every model has here: the probabilities, or the best classes of them."""

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, JsonResponse

from classifier.models import ModelVersion
from classifier.oip.bodies import HEADER_LENGTH, Body, parameters_of
from classifier.oip.errors import Refused

NAME = "probabilities"

Scores = Sequence[float]  # of all classes, of one image


@dataclass(frozen=True)
class Wanted:
    """How the output is to be written: so many of the best classes, or (0) the numbers of all."""

    classes: int
    binary: bool


def metadata(version: ModelVersion) -> list[dict[str, Any]]:
    """What is said of the outputs of a model."""
    return [{"name": NAME, "datatype": "FP32", "shape": [-1, len(version.labels)]}]


def read_wanted(body: Body) -> Wanted:
    """How a request wants its output.

    Raises:
        Refused: if it asks for one that is not there, or for what cannot be.
    """
    binary = _flag(body.parameters, "binary_data_output", "The request", default=False)
    if not body.outputs:
        return Wanted(0, binary)
    for item in body.outputs:
        if item.get("name") != NAME:
            raise Refused(f"There is no output {item.get('name')!r}; the only one is {NAME!r}.")
    if len(body.outputs) > 1:
        raise Refused(f"Output {NAME!r} is asked for more than once.")
    where = f"Output {NAME!r}"
    parameters = parameters_of(body.outputs[0], where)
    classes = parameters.get("classification", 0)
    if type(classes) is not int or classes < 0:
        raise Refused(f"{where}: classification must be a number of classes.")
    return Wanted(classes, _flag(parameters, "binary_data", where, default=binary))


def respond(
    body: Body, wanted: Wanted, version: ModelVersion, scores: Sequence[Scores]
) -> HttpResponse:
    """Write the response to a request that has been answered, one row for each image."""
    output, packed = _output(wanted, version.labels, scores)
    document: dict[str, Any] = {
        "model_name": version.name,
        "model_version": str(version.version),
        "outputs": [output],
    }
    if body.id is not None:
        document["id"] = body.id
    if packed is None:
        return JsonResponse(document)
    header = json.dumps(document).encode()
    return HttpResponse(
        header + packed,
        content_type="application/octet-stream",
        headers={HEADER_LENGTH: str(len(header))},
    )


def _output(
    wanted: Wanted, labels: list[str], scores: Sequence[Scores]
) -> tuple[dict[str, Any], bytes | None]:
    """The output, and its bytes if they go behind the JSON."""
    data: list[Any]
    if wanted.classes:
        datatype, width = "BYTES", min(wanted.classes, len(labels))
        data = [text for row in scores for text in _best(row, labels, width)]
        packed = b"".join(_element(text) for text in data) if wanted.binary else None
    else:
        datatype, width = "FP32", len(labels)
        data = [score for row in scores for score in row]
        packed = struct.pack(f"<{len(data)}f", *data) if wanted.binary else None
    output = {"name": NAME, "datatype": datatype, "shape": [len(scores), width]}
    if packed is None:
        return {**output, "data": data}, None
    return {**output, "parameters": {"binary_data_size": len(packed)}}, packed


def _best(scores: Scores, labels: list[str], count: int) -> Iterator[str]:
    """`score:index:label` of the best classes, as Triton writes them."""
    ranked = sorted(range(len(scores)), key=lambda index: -scores[index])
    for index in ranked[:count]:
        yield f"{scores[index]:.6f}:{index}:{labels[index]}"


def _element(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<I", len(encoded)) + encoded


def _flag(parameters: dict[str, Any], key: str, where: str, *, default: bool) -> bool:
    value = parameters.get(key, default)
    if not isinstance(value, bool):
        raise Refused(f"{where}: {key} must be true or false.")
    return value
