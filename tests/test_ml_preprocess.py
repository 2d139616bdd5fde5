"""Preprocessing against torchvision's own transforms, and on the odder kinds of image files."""

import io

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from classifier.ml.preprocess import UndecodableImage, preprocess, preprocess_exactly
from classifier.ml.spec import ModelSpec
from tests.factories import SPEC, image_bytes
from tests.models_on_disk import normalised

PLAIN = ModelSpec.from_json(SPEC | {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]})


def pixel(content, spec=PLAIN):
    """The middle of the network's input, as 0 to 255."""
    red, green, blue = preprocess(content, spec)[16, 16].tolist()
    return red, green, blue


def saved(image, format_, **options):
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (33, 500), (500, 33), (7, 5), (32, 32)])
@pytest.mark.parametrize("resize", [32, 37])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_odd_sizes_are_resized_and_cropped_as_torchvision_does(size, resize, interpolation):
    noise = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    spec = ModelSpec.from_json(SPEC | {"resize": resize, "interpolation": interpolation})
    transforms = torchvision.transforms._presets.ImageClassification(
        crop_size=spec.crop,
        resize_size=resize,
        mean=spec.mean,
        std=spec.std,
        interpolation=torchvision.transforms.InterpolationMode(interpolation),
    )
    ours = normalised(preprocess_exactly(saved(image, "PNG"), spec)[None], spec)[0]
    assert torch.allclose(ours, transforms(image), atol=1e-6)


WAYS = pytest.mark.parametrize(
    "preprocess", [preprocess, preprocess_exactly], ids=["fast", "exact"]
)


@WAYS
def test_pixels_are_bytes_of_three_channels(preprocess):
    pixels = preprocess(image_bytes(), PLAIN)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (32, 32, 3)


@WAYS
def test_the_cameras_orientation_is_honoured(preprocess):
    image = Image.new("RGB", (64, 32), "red")
    image.paste("blue", (32, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn a quarter clockwise
    pixels = preprocess(saved(image, "JPEG", exif=exif, quality=95), PLAIN)
    assert pixels[4, 16, 0] > 230 > pixels[4, 16, 2]
    assert pixels[28, 16, 2] > 230 > pixels[28, 16, 0]


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_accepted_format_is_decoded(format_):
    red, green, blue = pixel(image_bytes(format_, colour=(10, 120, 200)))
    assert (abs(red - 10), abs(green - 120), abs(blue - 200)) < (9, 9, 9)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_shows_white(mode):
    colour = (0, 0, 0, 0) if mode == "RGBA" else (0, 0)
    assert pixel(image_bytes("PNG", mode=mode, colour=colour)) == (255, 255, 255)


def test_what_is_half_transparent_is_mixed_with_white():
    assert pixel(image_bytes("PNG", mode="RGBA", colour=(0, 0, 0, 128))) == (127, 127, 127)


def test_a_palettes_transparent_colour_shows_white():
    image = Image.new("P", (40, 40), 0)
    image.putpalette([200, 0, 0])
    assert pixel(saved(image, "PNG")) == (200, 0, 0)
    assert pixel(saved(image, "PNG", transparency=0)) == (255, 255, 255)


@pytest.mark.parametrize(("mode", "colour"), [("L", 77), ("1", 1)])
def test_grey_and_bilevel_images_become_rgb(mode, colour):
    level = 255 if mode == "1" else colour
    assert pixel(image_bytes("PNG", mode=mode, colour=colour)) == (level,) * 3


def test_cmyk_becomes_rgb():
    content = image_bytes("JPEG", mode="CMYK", colour=(0, 255, 255, 0), quality=95)
    red, green, blue = pixel(content)
    assert red > 245
    assert max(green, blue) < 10


def test_sixteen_bits_a_pixel_are_scaled_and_not_cut_off():
    image = Image.fromarray(np.full((40, 40), 128 * 257, dtype=np.uint16))
    assert pixel(saved(image, "PNG")) == (128, 128, 128)


def test_values_without_a_range_are_stretched_from_black_to_white():
    ramp = np.linspace(-1.0, 3.0, 64 * 64, dtype=np.float32).reshape(64, 64)
    pixels = preprocess(saved(Image.fromarray(ramp), "TIFF"), PLAIN)
    assert pixels.min() < 8
    assert pixels.max() > 247


def test_the_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "lime", "blue")]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixel(content) == (255, 0, 0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an image in a known format"),
        (b"hello, I am a text", "JPEG, PNG"),
        (image_bytes("JPEG", (200, 200))[:-300], "cannot be decoded"),
        (image_bytes("PNG", (200, 200))[:60], "cannot be decoded"),
    ],
    ids=["empty", "text", "cut JPEG", "cut PNG"],
)
@WAYS
def test_bytes_that_are_no_whole_image_are_refused_with_the_reason(preprocess, content, reason):
    with pytest.raises(UndecodableImage, match=reason):
        preprocess(content, PLAIN)


@WAYS
def test_formats_that_run_programs_are_not_opened(preprocess):
    with pytest.raises(UndecodableImage, match="known format"):
        preprocess(saved(Image.new("RGB", (40, 40)), "EPS"), PLAIN)


@WAYS
def test_a_strip_that_would_fill_the_memory_is_refused(preprocess):
    with pytest.raises(UndecodableImage, match=r"1 x 30000 pixels; .* at most 200 times"):
        preprocess(image_bytes("PNG", (1, 30_000)), PLAIN)
