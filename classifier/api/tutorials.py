"""What the clients of the tutorials send: a file, a text in base64, or numbers."""

import math
from typing import Any, TypeGuard

from django.http import QueryDict
from rest_framework.request import Request

from classifier.api.bodies import BINARY, IMAGE
from classifier.api.inputs import NAMELESS
from classifier.api.now import read_file, wrong
from classifier.encoded import decode_image
from classifier.images import InvalidImage
from classifier.pixels import encode_pixels, encode_square

FILES = ("file", "image")
MEMBERS = ("x", "pixels", "image", "file")
WANTED = (
    "Send one image: a file in a multipart form as `file` or `image`, its bytes as image/*, or "
    "JSON with `image` in base64, or with numbers as `x` or `pixels`."
)
# Of more forms than a schema says well: with and without a batch of one around them.
NUMBERS = {"type": "array", "items": {}, "description": "Numbers of pixels: a list, or rows."}
IMAGE_OR_NUMBERS = {"oneOf": [IMAGE, NUMBERS]}
JSON = {
    "type": "object",
    "properties": dict.fromkeys(MEMBERS, IMAGE_OR_NUMBERS),
    "oneOf": [{"required": [name]} for name in MEMBERS],
}
FORM = {
    "type": "object",
    "properties": dict.fromkeys(FILES, BINARY),
    "oneOf": [{"required": [name]} for name in FILES],
}


def read_image(request: Request) -> tuple[bytes, str]:
    """The image of a request, and its name.

    Raises:
        Problem: if there is not exactly one.
        InvalidImage: if it is too large.
    """
    body: object = request.data
    if isinstance(body, bytes):
        return body, NAMELESS
    if isinstance(body, QueryDict):
        files = [file for name in FILES for file in request.FILES.getlist(name)]
        if not files:
            raise wrong("", f"There is no file. {WANTED}")
        return read_file(files)
    return _read_json(body), NAMELESS


def _read_json(body: object) -> bytes:
    if not isinstance(body, dict):
        raise wrong("", f"The body must be a JSON object. {WANTED}")
    given = [name for name in MEMBERS if body.get(name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        raise wrong("", f"There is {found}. {WANTED}")
    try:
        return _encode(body[given[0]])
    except InvalidImage as error:
        raise wrong(f"/{given[0]}", str(error), error.code) from error


def _encode(value: object) -> bytes:
    """Whatever it is called: a text is a file in base64, and a list is numbers."""
    if isinstance(value, str):
        return decode_image(value)
    rows = _without_batch(value)
    return encode_pixels(rows) if _is_nested(rows) else encode_square(rows)


def _without_batch(value: object) -> object:
    """Of a batch of one, what is in it: 1×28×28 is 28×28, and 1×784 is 784."""
    while _is_nested(value) and len(value) == 1 and _is_nested(value[0]):
        value = value[0]
    if _is_nested(value) and len(value) == 1 and math.isqrt(len(value[0])) ** 2 == len(value[0]):
        return value[0]
    return value


def _is_nested(value: object) -> TypeGuard[list[list[Any]]]:
    """Whether it begins as a list of lists does; the rest is for the encoder to look at."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], list)
