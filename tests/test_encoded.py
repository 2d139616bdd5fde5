"""Texts of programs become values that can be used and stored, or are refused with the reason."""

import base64

import pytest

from classifier.encoded import Unreadable, decode_image, parse_json
from classifier.images import InvalidImage


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, null, true, "é"]}', {"a": [1, 2.5, None, True, "é"]}),
        ('"\\u00e9"', "é"),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\\\\u0000"', "\\u0000"),
        ('"\\\\ud800"', "\\ud800"),
        ("\ufeff7", 7),
        (" 7 ", 7),
    ],
)
def test_json_is_read_as_its_standard_has_it(text, value):
    assert parse_json(text.encode()) == value


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "not JSON"),
        (b"[1] x", "not JSON"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "-Infinity"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
        (b"1" * 5000, "not JSON"),
        (b'"\xff"', "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        ('"é"'.encode("utf-16"), "UTF-8"),
        (b'"\\u0000"', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'"\\\\\\u0000"', "NUL"),
        (b'"\x00"', "not JSON"),
        (b'["\\uD83D"]', "surrogate"),
        (b'["\\udE00\\ud83d"]', "surrogate"),
    ],
)
def test_what_is_not_json_or_cannot_be_stored_is_refused(content, reason):
    with pytest.raises(Unreadable, match=reason):
        parse_json(content)


FILE = bytes(range(251, 256)) * 50
TEXT = base64.b64encode(FILE).decode()


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.rstrip("="),
        base64.urlsafe_b64encode(FILE).decode(),
        base64.encodebytes(FILE).decode(),
        f"data:image/png;base64,{TEXT}",
        f"DATA:;BASE64,{TEXT}",
    ],
    ids=["plain", "unpadded", "url-safe", "in lines", "data URI", "DATA URI"],
)
def test_base64_may_be_written_in_any_of_its_ways(text):
    assert decode_image(text) == FILE


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "invalid_base64"),
        (7, "invalid_base64"),
        (["x"], "invalid_base64"),
        ("x", "invalid_base64"),
        ("é" * 8, "invalid_base64"),
        ("abc*", "invalid_base64"),
        ("ab=c", "invalid_base64"),
        ("\0\0\0\0", "invalid_base64"),
        ("\ud800", "invalid_base64"),
        ("https://example.org/cat.jpg", "invalid_base64"),
        ("data:image/png,abcd", "invalid_base64"),
        ("data:image/png;base64", "empty"),
        ("", "empty"),
        ("data:;base64,", "empty"),
        ("====", "empty"),
    ],
)
def test_what_is_not_base64_is_refused(text, code):
    with pytest.raises(InvalidImage) as refused:
        decode_image(text)
    assert refused.value.code == code


def test_a_file_that_is_too_large_is_refused_before_it_is_decoded(settings):
    settings.UPLOAD_MAX_BYTES = len(FILE)
    assert decode_image(TEXT) == FILE
    settings.UPLOAD_MAX_BYTES = len(FILE) - 1
    with pytest.raises(InvalidImage) as refused:
        decode_image(TEXT)
    assert refused.value.code == "too_large"
