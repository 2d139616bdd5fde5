"""What is taken in as an image, and how each refusal is worded."""

import io
import struct
import zlib
from array import array

import pytest
from django.utils import translation
from PIL import Image

from classifier.images import InvalidImage, render, verify
from tests.factories import image_bytes


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):  # whatever a request before has left
        yield


def refusal(content):
    with pytest.raises(InvalidImage) as caught:
        verify(content)
    return caught.value


def with_orientation(value, size=(60, 20)):
    exif = Image.Exif()
    exif[0x0112] = value
    exif[0x010E] = "taken at home"
    return image_bytes("JPEG", size, "red", exif=exif)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_promised_format_is_taken(format):
    verified = verify(image_bytes(format, (64, 48)))
    assert (verified.format, verified.width, verified.height) == (format, 64, 48)
    assert len(verified.sha256) == 64


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_colour_mode_is_taken(mode):
    assert verify(image_bytes("PNG", mode=mode, colour=0)).format == "PNG"


def test_a_cmyk_jpeg_is_taken_and_rendered():
    content = image_bytes("JPEG", mode="CMYK", colour=(0, 255, 255, 0))
    assert verify(content).format == "JPEG"
    assert Image.open(io.BytesIO(render(content, 32))).size == (32, 24)


def test_an_animated_gif_counts_as_its_first_frame():
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "blue", "green")]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    verified = verify(out.getvalue())
    assert (verified.width, verified.height) == (30, 20)
    red, green, blue = Image.open(io.BytesIO(render(out.getvalue(), 30))).getpixel((5, 5))
    assert red > 200
    assert green < 60
    assert blue < 60


def test_a_phones_file_of_several_jpegs_is_a_jpeg():
    out = io.BytesIO()
    second = Image.new("RGB", (32, 24), "blue")
    Image.new("RGB", (64, 48), "red").save(out, "MPO", save_all=True, append_images=[second])
    verified = verify(out.getvalue())
    assert (verified.format, verified.width, verified.height) == ("JPEG", 64, 48)


def test_width_and_height_are_those_that_one_looks_at():
    assert (verify(with_orientation(1)).width, verify(with_orientation(1)).height) == (60, 20)
    assert (verify(with_orientation(6)).width, verify(with_orientation(6)).height) == (20, 60)


def test_a_rendition_is_upright_small_and_without_metadata():
    rendition = Image.open(io.BytesIO(render(with_orientation(6, (600, 200)), 90)))
    assert rendition.format == "WEBP"
    assert rendition.size == (30, 90)
    assert not rendition.getexif()
    assert "exif" not in rendition.info
    assert "icc_profile" not in rendition.info


def test_a_rendition_never_enlarges():
    assert Image.open(io.BytesIO(render(image_bytes(size=(20, 10)), 400))).size == (20, 10)


def test_a_rendition_keeps_transparency():
    content = image_bytes("PNG", mode="RGBA", colour=(255, 0, 0, 0))
    assert Image.open(io.BytesIO(render(content, 32))).mode == "RGBA"


def gradient(mode, format, step, start=0):
    """256 columns from left to right, each `step` above the one before."""
    pixels = array({"I;16": "H", "I": "i", "F": "f"}[mode], [start + step * x for x in range(256)])
    out = io.BytesIO()
    Image.frombytes(mode, (256, 8), pixels.tobytes() * 8).save(out, format)
    assert Image.open(out).mode == mode
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        gradient("I;16", "PNG", 257),
        gradient("I;16", "TIFF", 257),
        gradient("I", "TIFF", 1000, -30_000),
        gradient("I", "TIFF", 1),
        gradient("F", "TIFF", 0.001),
        gradient("F", "TIFF", 1.0),
    ],
)
def test_a_picture_of_deep_greys_keeps_its_shades(content):
    verify(content)
    rendered = Image.open(io.BytesIO(render(content, 256))).convert("L")
    assert [rendered.getpixel((x, 4)) for x in range(256)] == pytest.approx(range(256), abs=4)


def test_a_deep_grey_picture_of_one_shade_is_rendered():
    for mode, format in (("I", "TIFF"), ("F", "TIFF"), ("I;16", "PNG")):
        assert render(image_bytes(format, mode=mode, colour=0), 32)


def test_an_empty_file_is_refused():
    assert refusal(b"").code == "empty"


def test_text_is_refused_with_the_list_of_formats():
    error = refusal(b"hello, this is no picture")
    assert error.code == "unknown_format"
    assert "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF" in str(error)


def test_a_picture_format_outside_the_list_is_refused():
    assert refusal(image_bytes("ICO")).code == "unknown_format"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "GIF", "BMP"])
def test_a_file_that_is_cut_off_is_refused(format):
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    out = io.BytesIO()
    noise.save(out, format)
    content = out.getvalue()
    assert refusal(content[: len(content) * 2 // 3]).code in {"damaged", "unknown_format"}


def test_a_file_over_the_size_limit_is_refused_with_both_sizes(settings):
    settings.UPLOAD_MAX_BYTES = 1024
    error = refusal(b"x" * 2048)
    assert error.code == "too_large"
    assert "2.0\xa0KB" in str(error)
    assert "1.0\xa0KB" in str(error)


def test_too_many_pixels_are_refused_before_any_is_decoded(settings):
    settings.UPLOAD_MAX_PIXELS = 1_000_000
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    png += struct.pack(">I", zlib.crc32(chunk))
    png += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    error = refusal(png)
    assert error.code == "too_many_pixels"
    assert "60000 × 60000" in str(error)


@pytest.mark.parametrize("size", [(1, 51), (102, 2), (1, 30_000)])
def test_a_strip_is_refused_with_its_size_and_the_limit(size):
    error = refusal(image_bytes(size=size))
    assert error.code == "too_long_and_thin"
    assert f"{size[0]} × {size[1]} pixels" in str(error)
    assert "at most 50 times the shorter" in str(error)


def test_a_panorama_is_taken(settings):
    assert verify(image_bytes(size=(100, 2))).width == 100
    settings.UPLOAD_MAX_ASPECT_RATIO = 51
    assert verify(image_bytes(size=(1, 51))).height == 51


def test_a_jpeg_of_very_many_scans_is_refused(settings):
    settings.UPLOAD_MAX_JPEG_SCANS = 5
    progressive = image_bytes("JPEG", (64, 64), progressive=True)
    assert refusal(progressive).code == "too_many_scans"
    settings.UPLOAD_MAX_JPEG_SCANS = 100
    assert verify(progressive).format == "JPEG"


def test_refusals_are_translated():
    with translation.override("zh-hans"):
        assert str(refusal(b"")) != "The file is empty."
