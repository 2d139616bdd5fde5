"""The images of a request, whichever way they came, and what is asked for with them."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import QueryDict
from rest_framework.request import Request

from classifier.actions.submit import Upload
from classifier.api.options import NAMES, OF_OUR_PAGE, Options, from_texts, read_options
from classifier.api.problems import Problem
from classifier.api.slips import fault, members_of, unknown, wrong
from classifier.encoded import decode_image
from classifier.images import InvalidImage, VerifiedImage, check_size, verify
from classifier.pixels import encode_pixels, encode_square

WAYS = ("image", "images", "pixels", "x")  # in JSON; one of them is needed
ENCODERS: dict[str, Callable[[object], bytes]] = {
    "image": decode_image,
    "pixels": encode_pixels,
    "x": encode_square,
}
FORM_NAMES = (*NAMES, "image", OF_OUR_PAGE)
NAMELESS = "image"


@dataclass(frozen=True)
class Sent:
    """One image as it was sent: where in the body, its name, and its bytes, or why it has none."""

    where: str
    name: str
    content: bytes | InvalidImage

    @property
    def digest(self) -> str:
        if isinstance(self.content, InvalidImage):
            return self.content.code
        return hashlib.sha256(self.content).hexdigest()

    def verified(self) -> VerifiedImage:
        """Decode it.

        Raises:
            InvalidImage: if it cannot be used.
        """
        if isinstance(self.content, InvalidImage):
            raise self.content
        return verify(self.content)


@dataclass(frozen=True)
class Asked:
    """What a request asks for. `several` images make a batch, be it of one."""

    options: Options
    images: tuple[Sent, ...]
    several: bool = False


def read(request: Request) -> Asked:
    """Take a request apart. A wrong option is found before any image is decoded.

    Raises:
        Problem: with everything that is wrong with the options and with how the images are given.
    """
    body: object = request.data
    if isinstance(body, bytes):
        options = read_options(request)
        return Asked(options, (Sent("", options.filename or NAMELESS, body),))
    if isinstance(body, QueryDict):
        return _read_form(request, body)
    return _read_json(request, members_of(body))


def verify_all(images: Iterable[Sent]) -> list[Upload]:
    """Decode each, and keep the reasons of those that cannot be used.

    Raises:
        Problem: if none can.
    """
    uploads, faults = [], []
    for sent in images:
        try:
            uploads.append(Upload(sent.name, sent.verified()))
        except InvalidImage as error:
            uploads.append(Upload(sent.name, error))
            faults.append(fault(sent.where, error.code, str(error)))
    if len(faults) == len(uploads):
        slug = "too_large" if {f["code"] for f in faults} == {"too_large"} else "invalid_image"
        raise Problem(slug, f"None of the {len(faults)} images can be taken.", faults)
    return uploads


def _read_form(request: Request, form: QueryDict) -> Asked:
    faults = unknown([*form, *request.FILES], FORM_NAMES, "pointer")
    options = read_options(request, from_texts(form), faults)
    files = request.FILES.getlist("image")
    _check_count(len(files), "/image", "a file in a part named image is needed.")
    images = [_sent(f"/image/{i}", file, options) for i, file in enumerate(files)]
    return Asked(options, tuple(images), several=len(files) > 1)


def _sent(where: str, file: Any, options: Options) -> Sent:
    """A part of a form. Of one that is too large not all was kept, but its size is the true one."""
    name = file.name or options.filename or NAMELESS
    try:
        check_size(file.size)
    except InvalidImage as error:
        return Sent(where, name, error)
    return Sent(where, name, file.read())


def _read_json(request: Request, members: dict[str, Any]) -> Asked:
    faults = list(unknown(members, (*WAYS, *NAMES), "pointer"))
    ways = [way for way in WAYS if way in members]
    if len(ways) != 1:
        found = f"there are {' and '.join(ways)}" if ways else "there is none"
        detail = f"Exactly one of {', '.join(WAYS)} is needed; {found}."
        faults.append(fault("", "required", detail))
    given = {name: members[name] for name in NAMES if name in members}
    options = read_options(request, given, faults)
    [way] = ways
    name = options.filename or NAMELESS
    if way != "images":
        return Asked(options, (Sent(f"/{way}", name, _encoded(way, members[way])),))
    texts = members["images"]
    if not isinstance(texts, list):
        raise wrong(fault("/images", "invalid", "This must be a list of texts in base64."))
    _check_count(len(texts), "/images", "the list needs at least one text.")
    images = [Sent(f"/images/{i}", name, _encoded("image", text)) for i, text in enumerate(texts)]
    return Asked(options, tuple(images), several=True)


def _encoded(way: str, value: object) -> bytes | InvalidImage:
    try:
        return ENCODERS[way](value)
    except InvalidImage as error:
        return error


def _check_count(count: int, where: str, needed: str) -> None:
    limit = settings.DATA_UPLOAD_MAX_NUMBER_FILES
    if not count:
        raise wrong(fault(where, "required", f"There is no image: {needed}"))
    if count > limit:
        raise Problem("too_many_files", f"There are {count} images; at most {limit} are taken.")
