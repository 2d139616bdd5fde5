"""The headers and parameters that requests and answers may have, for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from classifier.api.bodies import JSONSchema


def _header(name: str, description: str, **schema: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name, {"type": "string", **schema}, OpenApiParameter.HEADER, description=description
    )


def _answered(name: str, description: str, *statuses: int, **schema: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        {"type": "string", **schema},
        OpenApiParameter.HEADER,
        response=list(statuses),
        description=description,
    )


PREFER = _header(
    "Prefer",
    "`wait` or `wait=n` holds the answer until the prediction has ended, for up to n seconds "
    "(1 to 60); `respond-async` is not to wait, as without it.",
)
IDEMPOTENCY_KEY = _header(
    "Idempotency-Key",
    "A name of your own for this request. Sent again with it within 24 hours, it is done once.",
    pattern="^[!-~]{1,255}$",
)
CACHE_CONTROL = _header(
    "Cache-Control",
    "`no-cache` has the image classified anew; without it, an answer that the same image had from "
    "the same model, computed the same way, is answered again, with `cached` in its `metrics`.",
)
IF_NONE_MATCH = _header("If-None-Match", "The `ETag` of what you have; 304 if it is still that.")
MADE = [
    _answered("Location", "Where it is.", 201, 202, format="uri"),
    _answered("Preference-Applied", "How long the answer was willing to wait.", 201, 202),
    _answered("Idempotency-Replayed", "`true` if it was made before.", 201, 202),
    _answered("Retry-After", "Seconds, after which to look again.", 202, pattern="^[0-9]+$"),
]
ENDED = [
    _answered("ETag", "Only once it has ended.", 200, 304),
    _answered("Preference-Applied", "How long the answer was willing to wait.", 200),
]


def in_query(options: dict[str, JSONSchema]) -> list[OpenApiParameter]:
    """Options as parameters of the address; what the body says goes before."""
    return [
        OpenApiParameter(name, _plain(schema), description=schema["description"])
        for name, schema in options.items()
    ]


def _plain(schema: JSONSchema) -> JSONSchema:
    """A parameter is text: an object in it is JSON, and only says so in words."""
    if schema["type"] == "object":
        return {"type": "string", "contentMediaType": "application/json", "format": "json-object"}
    return {name: value for name, value in schema.items() if name != "description"}
