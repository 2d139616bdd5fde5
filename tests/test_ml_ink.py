"""Writing is found wherever it stands on whatever paper, and looks like the digits of the data."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageOps

from classifier.ml import ink
from classifier.ml.preprocess import preprocess, preprocess_exactly
from classifier.ml.spec import INK, ModelSpec
from tests.factories import SPEC
from tests.handwriting import CAREFUL, STYLES, Style, as_png, write
from tests.models_on_disk import SMALL

FIVE = CAREFUL["5"][0]
HANDWRITING = ModelSpec.from_json(SPEC | {"framing": INK})


def framed(image):
    """The grey levels (32, 32) of what `frame` makes of an image."""
    made = ink.frame(image)
    assert (made.mode, made.size) == ("RGB", (32, 32))
    pixels = np.asarray(made).astype(int)
    assert (pixels == pixels[..., :1]).all(), "it is grey"
    return pixels[..., 0]


def difference(one, other):
    """Of two images as they are framed: the mean, in grey levels."""
    return np.abs(framed(one) - framed(other)).mean()


def test_ink_is_bright_on_black_and_fills_the_height():
    pixels = framed(write(FIVE, Style()))
    assert pixels.max() == 255
    assert pixels[0].max() > 100
    assert pixels[-1].max() > 100
    assert pixels[:, :2].max() < 60
    assert pixels[:, -2:].max() < 60


def test_light_on_dark_is_the_same_as_dark_on_light():
    image = write(FIVE, Style())
    assert difference(image, ImageOps.invert(image)) < 1


@pytest.mark.parametrize(
    "style",
    [
        Style(writing=60, pen=0.1),
        Style(centre=(0.2, 0.7), writing=120),
        Style(width=900, height=200, writing=120),
        Style(pen=0.05),
        Style(pen=0.15),
        Style(ink=(200, 30, 30), paper=(250, 240, 200)),
        Style(shade=40),
        Style(noise=8),
    ],
    ids=["small", "aside", "wide", "thin", "thick", "red", "shaded", "noisy"],
)
def test_size_place_pen_colour_and_paper_make_little_difference(style):
    other = write(CAREFUL["8"][0], Style())
    assert difference(write(FIVE, style), write(FIVE, Style())) < 14
    assert difference(write(FIVE, style), other) > 25


def test_a_few_specks_do_not_move_the_writing():
    image = write(FIVE, Style())
    speckled = image.copy()
    for x, y in ((3, 5), (390, 12), (8, 380)):
        speckled.paste("black", (x, y, x + 3, y + 3))
    assert difference(image, speckled) < 8


def test_what_is_wider_than_high_keeps_its_shape():
    pixels = framed(write([[(0, 0.5), (0.6, 0.5)]], Style()))
    rows = np.flatnonzero(pixels.max(axis=1) > 100)
    assert rows.min() > 8
    assert rows.max() < 24
    assert pixels[16, 0] > 100
    assert pixels[16, -1] > 100


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (60, 40), "white"),
        Image.new("L", (1, 1), 9),
        Image.new("RGB", (300, 2), "black"),
        write(FIVE, Style(ink=(250, 250, 250))),
        write([], Style(noise=3)),
    ],
    ids=["white", "one pixel", "a line of black", "too faint", "noise"],
)
def test_where_nothing_is_written_all_is_black(image):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert framed(image).max() == 0


@pytest.mark.parametrize("box", [(7, 9, 8, 10), (0, 0, 5, 5), (0, 0, 12, 32), (10, 0, 11, 32)])
def test_a_dot_a_block_and_a_line_are_framed_too(box):
    image = Image.new("L", (32, 32), 255)
    image.paste(0, box)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert framed(image).max() == 255


def test_a_digit_of_eight_by_eight_pixels_is_most_like_the_same_digit():
    drawn = {
        digit: write(shapes[0], Style(280, 280, 240, pen=0.14)) for digit, shapes in CAREFUL.items()
    }
    for digit, image in drawn.items():
        small = image.resize((8, 8), Image.Resampling.BOX)
        assert min(drawn, key=lambda other: difference(small, drawn[other])) == digit


@pytest.mark.parametrize("way", [preprocess, preprocess_exactly])
def test_both_ways_of_preprocessing_frame_the_writing(way):
    image = write(FIVE, STYLES["with a pencil"])
    assert np.array_equal(way(as_png(image), HANDWRITING)[..., 0], framed(image))
    assert not np.array_equal(way(as_png(image), SMALL), way(as_png(image), HANDWRITING))


def test_a_small_digit_on_a_large_photograph_is_not_lost_by_decoding_it_small():
    photograph = io.BytesIO()
    write(FIVE, Style(1600, 1600, 150)).save(photograph, "JPEG")
    found = preprocess(photograph.getvalue(), HANDWRITING)[..., 0].astype(int)
    assert np.abs(found - framed(write(FIVE, Style()))).mean() < 8
