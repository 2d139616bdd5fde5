"""The two inputs that every model has here: image files, or pixels; one of them a request."""

import math
import struct
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.conf import settings

from classifier.actions.answer import NamedImage
from classifier.encoded import decode_image
from classifier.images import InvalidImage, verify
from classifier.oip.bodies import Tensor
from classifier.oip.errors import Refused
from classifier.pixels import encode_bytes

METADATA = [
    {"name": "image", "datatype": "BYTES", "shape": [-1]},
    {"name": "pixels", "datatype": "UINT8", "shape": [-1, -1, -1, 3]},
]
DATATYPES = {"image": "BYTES", "pixels": "UINT8"}
SIZE = struct.Struct("<I")  # of an element of BYTES, before it


def read_images(tensors: list[Tensor]) -> list[NamedImage]:
    """Verify the images of a request.

    Raises:
        Refused: if there is not exactly one input that we know, or one of its images is none.
    """
    if len(tensors) != 1 or tensors[0].name not in DATATYPES:
        names = ", ".join(repr(tensor.name) for tensor in tensors)
        raise Refused(f"Exactly one input is needed, 'image' or 'pixels'; there is {names}.")
    tensor = tensors[0]
    if tensor.datatype != DATATYPES[tensor.name]:
        datatype = DATATYPES[tensor.name]
        raise _refused(tensor, f"the datatype is {datatype}, not {tensor.datatype!r}.")
    images: list[NamedImage] = []
    try:
        for content in _files(tensor) if tensor.name == "image" else _pictures(tensor):
            image = verify(content)
            name = f"{tensor.name}-{len(images)}.{image.format.lower()}"
            images.append(NamedImage(name, image))
    except InvalidImage as error:
        status = 413 if error.code == "too_large" else 400
        raise _refused(tensor, f"image {len(images)}: {error}", status) from error
    return images


def _files(tensor: Tensor) -> Iterator[bytes]:
    """The image files of [n] or [n, 1] elements, which are base64 in JSON."""
    if len(tensor.shape) > 2 or tensor.shape[1:] not in {(), (1,)}:
        raise _misshapen(tensor, "[n] or [n, 1]")
    _check_count(tensor, tensor.shape[0])
    if isinstance(tensor.data, bytes):
        elements = _elements(tensor, tensor.data)
        if len(elements) != tensor.shape[0]:
            raise _wrong_count(tensor, len(elements))
        return map(_file, elements)
    return map(decode_image, _flat(tensor, tensor.data))


def _elements(tensor: Tensor, data: bytes) -> list[bytes]:
    """The elements of BYTES, each of which lies behind its length."""
    elements, begin = [], 0
    while begin < len(data):
        begin += SIZE.size
        size = SIZE.unpack_from(data, begin - SIZE.size)[0] if begin <= len(data) else 0
        if begin + size > len(data):
            raise _refused(tensor, "the data ends before its last element does.")
        elements.append(data[begin : begin + size])
        begin += size
    return elements


def _file(element: bytes) -> bytes:
    """A file as it is, or in base64 by a client that only changed the way it sends it."""
    if element.isascii():
        try:
            return decode_image(element.decode("ascii"))
        except InvalidImage as error:
            if error.code != "invalid_base64":
                raise
    return element


def _pictures(tensor: Tensor) -> Iterator[bytes]:
    """The pictures of values from 0 to 255, one byte each or numbers in JSON, as PNG."""
    count, height, width, channels = _sizes(tensor)
    _check_count(tensor, count)
    values = tensor.data if isinstance(tensor.data, bytes) else _bytes(tensor, tensor.data)
    size = height * width * channels
    if len(values) != count * size:
        raise _wrong_count(tensor, len(values))
    for begin in range(0, len(values), size):
        yield encode_bytes(values[begin : begin + size], width, height, channels)


def _sizes(tensor: Tensor) -> tuple[int, int, int, int]:
    """Images, height, width and channels."""
    match tensor.shape:
        case (count, height, width, (1 | 3) as channels):
            return count, height, width, channels
        case (height, width, 3):
            return 1, height, width, 3
        case (count, height, width):
            return count, height, width, 1
        case (height, width):
            return 1, height, width, 1
    raise _misshapen(tensor, "[n, h, w, 3], [h, w, 3], [n, h, w] or [h, w]")


def _bytes(tensor: Tensor, data: list[Any]) -> bytes:
    values = _flat(tensor, data)
    if set(map(type, values)) != {int}:
        raise _refused(tensor, "the values must be whole numbers.")
    try:
        return bytes(values)
    except ValueError as error:
        raise _refused(tensor, "the values must be from 0 to 255.") from error


def _flat(tensor: Tensor, data: list[Any]) -> list[Any]:
    """The elements in one list, whether they were sent so or nested as the shape says."""
    values = data
    if values and isinstance(values[0], list):
        for size in tensor.shape[1:]:
            if not all(isinstance(item, list) and len(item) == size for item in values):
                raise _refused(tensor, "the data is not nested as its shape says.")
            values = list(chain.from_iterable(values))
    if len(values) != math.prod(tensor.shape):
        raise _wrong_count(tensor, len(values))
    return values


def _check_count(tensor: Tensor, count: int) -> None:
    most = settings.DATA_UPLOAD_MAX_NUMBER_FILES
    if count > most:
        raise _refused(tensor, f"{count} images are too many; a request may have {most}.", 413)


def _misshapen(tensor: Tensor, wanted: str) -> Refused:
    return _refused(tensor, f"the shape must be {wanted}, not {list(tensor.shape)}.")


def _wrong_count(tensor: Tensor, found: int) -> Refused:
    return _refused(tensor, f"the shape {list(tensor.shape)} does not fit {found} elements.")


def _refused(tensor: Tensor, reason: str, status: int = 400) -> Refused:
    return Refused(f"Input {tensor.name!r}: {reason}", status)
