"""Bodies that are no forms, read no further than they may be long."""

from typing import IO, Any

from django.conf import settings
from rest_framework import parsers, renderers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from classifier.api.problems import Problem
from classifier.encoded import Unreadable, parse_json


class JSONParser(parsers.BaseParser):
    """JSON of at most API_MAX_BODY_BYTES. The framework's own keeps to the limit of page forms."""

    media_type = "application/json"
    renderer_class = renderers.JSONRenderer

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Any = None,
    ) -> Any:
        """Read the body.

        Raises:
            Problem: if it is too large.
            ParseError: if it is not JSON.
        """
        content = read(stream, parser_context["request"], settings.API_MAX_BODY_BYTES)
        try:
            return parse_json(content)
        except Unreadable as error:
            raise ParseError(str(error)) from error


class ImageParser(parsers.BaseParser):
    """The bytes of one image, of at most UPLOAD_MAX_BYTES."""

    media_type = "image/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Any = None,
    ) -> Any:
        """Read the body.

        Raises:
            Problem: if it is too large.
        """
        return read(stream, parser_context["request"], settings.UPLOAD_MAX_BYTES)


class OctetsParser(ImageParser):
    """The same, from clients that do not say what their bytes are."""

    media_type = "application/octet-stream"


def read(stream: IO[Any], request: Request, limit: int) -> bytes:
    """Read the whole body, if it is no longer than the limit. What it says is what is read.

    Raises:
        Problem: if it says that it is longer.
    """
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > limit:
        detail = f"The body has {length} bytes; at most {limit} are taken here."
        raise Problem("too_large", detail)
    content: bytes = stream.read()
    return content
