"""The fast way to pixels gives those of the exact way, or hands the picture over to it."""

import io
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageOps

from classifier.ml import jpeg, resampling
from classifier.ml.preprocess import _preprocess_fast, preprocess, preprocess_exactly
from classifier.ml.spec import ModelSpec
from tests.factories import SPEC

SMALL = ModelSpec.from_json(SPEC)
LARGE = replace(SMALL, resize=256, crop=224)
ORIENTATIONS = range(1, 9)


@pytest.fixture(params=["simplejpeg", "Pillow"])
def _decoder(request, monkeypatch):
    """Both decoders; the second serves where the first is not installed."""
    if request.param == "Pillow":
        monkeypatch.setattr(jpeg, "simplejpeg", None)
    elif jpeg.simplejpeg is None:
        pytest.skip("needs simplejpeg")


@pytest.fixture(params=["torch", "Pillow"])
def _resizer(request, monkeypatch):
    """Both ways to resize; the second serves where torch has no vector instructions."""
    monkeypatch.setattr(resampling, "TORCH_IS_FAST", request.param == "torch")


@cache
def photograph(width, height):
    """Shapes of all sizes in colours that vary slowly, with a sensor's noise over it."""
    random = np.random.default_rng(0)
    layers = np.zeros((height, width, 3), dtype=np.float32)
    for cells, contrast in ((4, 90), (12, 40), (40, 20), (120, 8)):
        coarse = random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        layers += (np.asarray(image, dtype=np.float32) / 255 - 0.5) * contrast
    layers += random.normal(0, 4, (height, width, 1))
    return Image.fromarray((layers + 128).clip(0, 255).astype(np.uint8))


@cache
def photograph_as_jpeg(width, height, orientation=1, mode="RGB", **options):
    return as_jpeg(photograph(width, height).convert(mode), orientation, **options)


def as_jpeg(image, orientation=1, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 90} | options
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, **options)
    return out.getvalue()


def difference(content, spec):
    """Mean difference of the two ways in grey levels. The fast one is asked for by name."""
    fast = _preprocess_fast(content, spec).astype(int)
    return float(np.abs(fast - exact(content, spec)).mean())


exact = cache(preprocess_exactly)


@pytest.mark.usefixtures("_decoder", "_resizer")
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    "size", [(500, 375), (375, 500), (301, 299), (130, 98), (257, 256), (40, 700)]
)
def test_a_picture_that_is_decoded_whole_differs_by_rounding_only(size, interpolation):
    content = photograph_as_jpeg(*size)
    assert difference(content, replace(LARGE, interpolation=interpolation)) < 0.3


@pytest.mark.usefixtures("_decoder", "_resizer")
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("size", [(1601, 1207), (701, 803)])
def test_a_large_jpeg_differs_by_less_than_a_grey_level(size, subsampling):
    content = photograph_as_jpeg(*size, subsampling=subsampling)
    assert difference(content, LARGE) < 1
    assert difference(content, SMALL) < 1


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_of_many_megapixels_differs_by_less_than_a_grey_level(progressive):
    content = photograph_as_jpeg(2880, 2867, progressive=progressive)
    assert difference(content, LARGE) < 1


@pytest.mark.usefixtures("_decoder", "_resizer")
@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("size", [(64, 45), (807, 1205)])
def test_every_orientation_is_turned_to_the_very_pixel(size, orientation):
    content = photograph_as_jpeg(*size, orientation)
    assert difference(content, replace(SMALL, resize=41)) < 0.5


@pytest.mark.usefixtures("_decoder")
def test_a_grey_jpeg_has_three_equal_channels():
    content = photograph_as_jpeg(500, 375, mode="L")
    assert difference(content, LARGE) < 0.3
    assert np.ptp(_preprocess_fast(content, LARGE), axis=2).max() == 0


@pytest.mark.parametrize("format_", ["PNG", "WEBP", "TIFF"])
def test_other_formats_are_decoded_whole_and_only_the_middle_is_resized(format_):
    out = io.BytesIO()
    photograph(700, 401).save(out, format_)
    assert difference(out.getvalue(), LARGE) < 0.3


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_other_formats_are_turned_once(format_):
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    photograph(700, 401).save(out, format_, exif=exif)
    assert difference(out.getvalue(), LARGE) < 0.3


def test_a_jpeg_for_print_is_decoded_as_the_exact_way_does():
    content = photograph_as_jpeg(500, 375, mode="CMYK")
    assert difference(content, LARGE) < 0.3


@pytest.mark.parametrize("interpolation", ["nearest", "box", "hamming", "lanczos"])
def test_other_filters_go_the_exact_way(interpolation):
    spec = replace(SMALL, interpolation=interpolation)
    content = photograph_as_jpeg(1600, 1200)
    assert np.array_equal(preprocess(content, spec), preprocess_exactly(content, spec))


def test_a_jpeg_that_is_damaged_a_little_goes_the_exact_way():
    content = bytearray(photograph_as_jpeg(500, 375))
    content[len(content) // 2 : len(content) // 2 + 4] = b"\xff\xd9\x12\x34"
    try:
        expected = preprocess_exactly(bytes(content), LARGE)
    except ValueError as error:
        with pytest.raises(type(error), match=str(error)[:40]):
            preprocess(bytes(content), LARGE)
    else:
        assert np.array_equal(preprocess(bytes(content), LARGE), expected)


def test_pixels_can_be_written_to_and_lie_in_one_piece():
    pixels = preprocess(photograph_as_jpeg(500, 375, orientation=6), LARGE)
    assert pixels.flags.writeable
    assert pixels.flags.c_contiguous
    assert pixels.shape == (224, 224, 3)


def test_only_what_a_filter_reaches_is_resized_and_its_phase_is_kept():
    window = resampling.Window(length=640, resized=341, first=58, side=224)
    trimmed, needed = window.from_whole_pixel(reach=1)
    assert needed.start == 0  # 640 and 341 have no common divisor: the grids never meet
    window = resampling.Window(length=768, resized=256, first=16, side=224)
    trimmed, needed = window.from_whole_pixel(reach=1)
    assert (needed.start, needed.stop) == (45, 723)
    assert trimmed.first == 1


def test_an_upright_copy_gives_the_pixels_of_the_turned_file():
    image = photograph(500, 375)
    turned = as_jpeg(image, orientation=6, quality=100, subsampling="4:4:4")
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(turned)))
    plain = as_jpeg(upright, quality=100, subsampling="4:4:4")
    assert np.abs(preprocess(turned, LARGE).astype(int) - preprocess(plain, LARGE)).mean() < 0.5
