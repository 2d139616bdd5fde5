"""Read `model.json`, and hold it against its schema: pages, cards and the gate count on that."""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

SCHEMA = Path(__file__).with_name("model.schema.json")
LONGEST = 200  # characters that are told of what is wrong


class NotADocument(ValueError):
    """It is not JSON, no object, or not as it should be; the message says where."""


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        OSError: if it cannot be read.
        NotADocument: if it holds something else.
    """
    try:
        found = json.loads(
            path.read_text(encoding="utf-8"), parse_float=_finite, parse_constant=_finite
        )
    except (ValueError, RecursionError) as error:
        raise NotADocument(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise NotADocument(f"{path} must hold an object")
    return found


def read_model_json(path: Path) -> dict[str, Any]:
    """What `model.json` tells; of a bundle or of a model from elsewhere.

    Raises:
        OSError: if it cannot be read.
        NotADocument: if it is not what the schema says.
    """
    found = read_object(path)
    if error := best_match(_validator().iter_errors(found)):
        told = f"{error.json_path.removeprefix('$.')}: {error.message:.{LONGEST}}"
        raise NotADocument(f"{path} is not what `train` writes: {told}")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")  # to no other reader of JSON, nor to a database
    return value


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
