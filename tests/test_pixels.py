"""Numbers become the very picture that they describe, or are refused with a reason."""

import io

import pytest
from PIL import Image

from classifier.images import InvalidImage, verify
from classifier.pixels import encode_flat, encode_pixels, encode_square


def picture(content):
    return Image.open(io.BytesIO(content))


def refusal(encode, *arguments):
    with pytest.raises(InvalidImage) as caught:
        encode(*arguments)
    assert caught.value.code == "invalid_pixels"
    return str(caught.value)


def test_rows_of_numbers_become_a_grey_picture_with_every_value_kept():
    made = picture(encode_pixels([[0, 127, 255], [1, 2, 3]]))
    assert (made.mode, made.size) == ("L", (3, 2))
    assert list(made.tobytes()) == [0, 127, 255, 1, 2, 3]


def test_rows_of_triples_become_a_picture_in_colour():
    made = picture(encode_pixels([[[255, 0, 0], [0, 255, 0]]]))
    assert (made.mode, made.size) == ("RGB", (2, 1))
    assert made.getpixel((1, 0)) == (0, 255, 0)


def test_a_last_dimension_of_one_is_a_grey():
    assert picture(encode_pixels([[[7], [200]]])).tobytes() == bytes([7, 200])


def test_numbers_up_to_one_are_shares_of_white():
    assert picture(encode_pixels([[0.0, 0.5, 1]])).tobytes() == bytes([0, 128, 255])
    assert picture(encode_pixels([[0, 1]])).tobytes() == bytes([0, 255])


def test_numbers_with_a_fraction_up_to_255_are_rounded():
    assert picture(encode_pixels([[0.4, 254.6]])).tobytes() == bytes([0, 255])


def test_one_who_knows_the_type_can_say_what_white_is():
    assert picture(encode_flat([0, 1], 2, 1, white=255)).tobytes() == bytes([0, 1])


def test_a_flat_list_is_read_row_by_row():
    made = picture(encode_flat([1, 2, 3, 4, 5, 6], 2, 1, 3))
    assert [made.getpixel((x, 0)) for x in range(2)] == [(1, 2, 3), (4, 5, 6)]


def test_the_784_numbers_of_the_tutorials_are_a_square():
    verified = verify(encode_square([0.25] * 784))
    assert (verified.format, verified.width, verified.height) == ("PNG", 28, 28)


@pytest.mark.parametrize("count", [0, 2, 783])
def test_a_list_that_is_no_square_is_refused(count):
    assert f"not {count} values" in refusal(encode_square, [0] * count)


@pytest.mark.parametrize("value", ["text", None, {"a": 1}, 7])
def test_what_is_no_list_is_refused_by_all(value):
    assert "list of rows" in refusal(encode_pixels, value)
    assert "not" in refusal(encode_square, value)
    assert "A list of 4 numbers (2×2×1)" in refusal(encode_flat, value, 2, 2)


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        ([], "list of rows"),
        ([[]], "row 0 is no list"),
        ([[1, 2], 3], "row 1 is no list"),
        ([[1, 2], [3]], "row 1 has 1 values where others have 2"),
        ([[[1, 2, 3], [4, 5]]], "pixel 1 has 2 values where others have 3"),
        ([[[1, 2, 3], 4]], "pixel 1 is no list"),
        ([[1, [2]]], "also list"),
        ([[[1, 2]]], "1 value or 3"),
        ([[[1, 2, 3, 4]]], "not 4"),
        ([[True]], "also bool"),
        ([[1, "2"]], "also str"),
        ([[[[1]]]], "also list"),
        ([[1, 256]], "from 0 to 255"),
        ([[-1, 0]], "from 0 to 1"),
        ([[10**5000]], "from 0 to 255"),
        ([[float("inf")]], "from 0 to 255"),
        ([[0.5, float("nan")]], "from 0 to 1"),
        ([[float("nan"), 0.5]], "from 0 to 255"),
    ],
)
def test_pixels_that_make_no_picture_are_refused_with_the_reason(pixels, reason):
    assert reason in refusal(encode_pixels, pixels)


def test_a_flat_list_of_the_wrong_length_is_refused():
    assert "12 numbers (2×2×3) is needed, not 3 values" in refusal(encode_flat, [1, 2, 3], 2, 2, 3)
