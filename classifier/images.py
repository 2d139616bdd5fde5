"""From bytes that somebody sent to verified facts about an image, or a refusal that says why.

Nothing is accepted that was not decoded to its last byte, because whatever fails here in front of
the person who can act on it would otherwise fail in a worker, where nobody looks.
"""

import hashlib
import io
import warnings
from dataclasses import dataclass
from typing import cast

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
FORMATS_TEXT = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF"
CONTENT_TYPES = ",".join(f"image/{name.lower()}" for name in FORMATS)
# Beyond our own limit on pixels, which is checked before any is decoded.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of oddities that it copes with. Once and for all: the filters are every thread's.
warnings.filterwarnings("ignore", module=r"PIL\.")


class InvalidImage(ValueError):
    """The bytes are no image that we take; `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class VerifiedImage:
    """Bytes that were decoded whole. Width and height are as one looks at it, in pixels."""

    content: bytes
    sha256: str
    format: str
    width: int
    height: int


def verify(content: bytes) -> VerifiedImage:
    """Decode an upload to its end and report what it is.

    Raises:
        InvalidImage: with the code `empty`, `too_large`, `unknown_format`, `too_many_pixels`,
            `too_long_and_thin`, `too_many_scans` or `damaged`.
    """
    check_size(len(content))
    image = _open(content)
    _check_effort(image, content)
    width, height = image.size
    # A JPEG is read to its end at an eighth of its size too, at a third of the cost.
    image.draft("RGB", (max(1, width // 8), max(1, height // 8)))
    try:
        image.load()
        turned = image.getexif().get(0x0112, 1) in {5, 6, 7, 8}
    except Exception as error:  # decoders raise whatever they like
        raise InvalidImage(
            "damaged",
            _("The file is damaged: it cannot be decoded to its end. Save or export it anew."),
        ) from error
    if turned:
        width, height = height, width
    digest = hashlib.sha256(content).hexdigest()
    return VerifiedImage(content, digest, _format_of(image), width, height)


def render(content: bytes, longest_side: int) -> bytes:
    """Re-encode verified bytes as WebP, upright, no larger than asked, with no metadata."""
    with Image.open(io.BytesIO(content)) as image:
        image.draft("RGB", (longest_side * 2, longest_side * 2))
        upright = _in_eight_bits(ImageOps.exif_transpose(image))
        mode = "RGBA" if upright.has_transparency_data else "RGB"
        picture = upright.convert(mode)
    picture.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    picture.info.clear()
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=82, method=2)
    return out.getvalue()


def check_size(size: int) -> None:
    """Refuse by the number of bytes alone, which is known before they are read.

    Raises:
        InvalidImage: with the code `empty` or `too_large`.
    """
    if not size:
        raise InvalidImage("empty", _("The file is empty."))
    if size > settings.UPLOAD_MAX_BYTES:
        raise InvalidImage(
            "too_large",
            _("The file has %(size)s; at most %(limit)s are taken.")
            % {
                "size": filesizeformat(size),
                "limit": filesizeformat(settings.UPLOAD_MAX_BYTES),
            },
        )


def _open(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise InvalidImage(
            "unknown_format",
            _("This is not an image in a known format. Accepted are %(formats)s.")
            % {"formats": FORMATS_TEXT},
        ) from error
    except Exception as error:  # a header that makes the decoder stumble
        raise InvalidImage(
            "damaged", _("The file is damaged: its header cannot be read. Save or export it anew.")
        ) from error


def _format_of(image: Image.Image) -> str:
    """One of FORMATS. Phones put several JPEGs into one file, which Pillow calls MPO."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Scale deep greys to a byte's range, as the models see them; Pillow would cut them off."""
    if image.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    elif image.mode in {"I", "F"}:
        low, high = cast("tuple[float, float]", image.getextrema())
        if low >= 0 and 1 < high <= 255:  # a byte's values already
            low, high = 0.0, 255.0
    else:
        return image
    scale = 255 / max(high - low, 1e-9)
    offset = 0.5 - low * scale  # rounds, where convert cuts off what is behind the point
    return image.convert("F").point(lambda value: value * scale + offset).convert("L")


def _check_effort(image: Image.Image, content: bytes) -> None:
    """Refuse what would take far longer to decode than its size lets one expect."""
    width, height = image.size
    if width * height > settings.UPLOAD_MAX_PIXELS:
        raise InvalidImage(
            "too_many_pixels",
            _("The image has %(width)d × %(height)d pixels; at most %(limit)s in all are taken.")
            % {"width": width, "height": height, "limit": f"{settings.UPLOAD_MAX_PIXELS:,}"},
        )
    # A network's input is scaled by the shorter side, so that the longer one would explode.
    if max(width, height) > settings.UPLOAD_MAX_ASPECT_RATIO * min(width, height):
        raise InvalidImage(
            "too_long_and_thin",
            _(
                "The image has %(width)d × %(height)d pixels; "
                "the longer side may be at most %(limit)d times the shorter."
            )
            % {"width": width, "height": height, "limit": settings.UPLOAD_MAX_ASPECT_RATIO},
        )
    # Every scan of a progressive JPEG is a pass over the whole picture; ordinary files have ten.
    if _format_of(image) == "JPEG" and content.count(b"\xff\xda") > settings.UPLOAD_MAX_JPEG_SCANS:
        raise InvalidImage(
            "too_many_scans",
            _("The JPEG has more than %(limit)d scans. Save it as a plain JPEG.")
            % {"limit": settings.UPLOAD_MAX_JPEG_SCANS},
        )
