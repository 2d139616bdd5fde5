"""What programs write as text, on its way to values that are safe to use and to store."""

import binascii
import json
import re
from typing import NoReturn

from classifier.images import InvalidImage, check_size

URL_SAFE = bytes.maketrans(b"-_", b"+/")
# What may be half a character, or the one that no text in a database may have.
SUSPICIOUS = re.compile(rb"\\u(?:0000|d[89a-f])", re.IGNORECASE)
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


MOST_VALUES = 4_000_000  # of a JSON text; each takes many times its bytes once it is read


class Unreadable(ValueError):
    """The text is not what it should be; the message says what is wrong with it."""


def parse_json(content: bytes) -> object:
    """Read JSON as its standard has it: in UTF-8, without NaN, and with nothing unstorable.

    Raises:
        Unreadable: if it is none, nests too deeply, or has a text that cannot be stored.
    """
    if not content.strip():
        raise Unreadable("The body is empty; JSON is needed, sent with its Content-Length.")
    if content.count(b",") >= MOST_VALUES:
        raise Unreadable(f"The JSON has more than {MOST_VALUES:,} values. Send a file instead.")
    try:
        value = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
        if SUSPICIOUS.search(content):
            _check_texts(value)
    except RecursionError as error:
        raise Unreadable("The JSON is nested too deeply.") from error
    except UnicodeDecodeError as error:
        raise Unreadable("The JSON is not in UTF-8.") from error
    except Unreadable:
        raise
    except ValueError as error:  # of the decoder, or a number of thousands of digits
        raise Unreadable(f"This is not JSON: {error}.") from error
    return value


def decode_image(text: object) -> bytes:
    """The bytes of a file that is written as base64, plain or URL-safe, or as a data URI.

    Raises:
        InvalidImage: with the code `invalid_base64`, `empty` or `too_large`.
    """
    if not isinstance(text, str):
        raise _invalid(f"A text in base64 is needed, not {_name(text)}.")
    if text[:5].lower() == "data:":
        head, _, text = text.partition(",")
        if not head.lower().endswith(";base64"):
            raise _invalid("The data URI has to say ;base64 before its comma.")
    try:
        digits = text.encode("ascii")
    except UnicodeEncodeError as error:
        raise _invalid("The text has characters that base64 does not know.") from error
    digits = digits.translate(URL_SAFE, b" \t\r\n").rstrip(b"=")
    check_size(len(digits) * 3 // 4 or len(digits))
    try:
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4), strict_mode=True)
    except binascii.Error as error:
        raise _invalid("The text is not base64, or not the whole of it.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise Unreadable(f"JSON has no {name}.")


def _check_texts(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Unreadable("A text in the JSON has half of a surrogate pair (\\ud800…).") from error
    if NUL.search(text):
        raise Unreadable("A text in the JSON has the character NUL (\\u0000).")


def _invalid(message: str) -> InvalidImage:
    return InvalidImage("invalid_base64", message)


def _name(value: object) -> str:
    """What JSON calls the type of a value."""
    names = {bool: "a boolean", int: "a number", float: "a number", list: "an array"}
    return names.get(type(value), "null" if value is None else "an object")
