"""Preprocessing against torchvision's own transforms, and on the odder kinds of image files."""

import io

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from classifier.ml.preprocess import UndecodableImage, preprocess
from classifier.ml.spec import ModelSpec
from tests.factories import SPEC, image_bytes

PLAIN = ModelSpec.from_json(SPEC | {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]})


def pixel(content, spec=PLAIN):
    """The middle of the network's input, as 0 to 255."""
    red, green, blue = (preprocess(content, spec)[:, 16, 16] * 255).round().int().tolist()
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
    assert torch.allclose(preprocess(saved(image, "PNG"), spec), transforms(image), atol=1e-6)


def test_a_networks_input_is_float32_of_three_channels():
    tensor = preprocess(image_bytes(), PLAIN)
    assert tensor.dtype == torch.float32
    assert tensor.shape == (3, 32, 32)


def test_the_cameras_orientation_is_honoured():
    image = Image.new("RGB", (64, 32), "red")
    image.paste("blue", (32, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn a quarter clockwise
    tensor = preprocess(saved(image, "JPEG", exif=exif, quality=95), PLAIN)
    assert tensor[0, 4, 16] > 0.9 > tensor[2, 4, 16]
    assert tensor[2, 28, 16] > 0.9 > tensor[0, 28, 16]


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
    tensor = preprocess(saved(Image.fromarray(ramp), "TIFF"), PLAIN)
    assert tensor.min() < 0.03
    assert tensor.max() > 0.97


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
def test_bytes_that_are_no_whole_image_are_refused_with_the_reason(content, reason):
    with pytest.raises(UndecodableImage, match=reason):
        preprocess(content, PLAIN)


def test_formats_that_run_programs_are_not_opened():
    with pytest.raises(UndecodableImage, match="known format"):
        preprocess(saved(Image.new("RGB", (40, 40)), "EPS"), PLAIN)


def test_a_strip_that_would_fill_the_memory_is_refused():
    with pytest.raises(UndecodableImage, match=r"1 x 30000 pixels; .* at most 200 times"):
        preprocess(image_bytes("PNG", (1, 30_000)), PLAIN)
