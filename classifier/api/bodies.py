"""What requests may hold, as JSON Schema, for the OpenAPI document."""

from typing import Any

from django.conf import settings

from classifier.addresses import MOST_CHARACTERS
from classifier.api.values import EXPIRES_IN_MOST, METADATA_MOST_BYTES, PRIORITIES, TOP_K_MOST
from classifier.models import Event
from classifier.models.prediction import SHOWN_LABELS

JSONSchema = dict[str, Any]

OPTIONS: dict[str, JSONSchema] = {
    "model": {
        "type": "string",
        "format": "model-reference",
        "minLength": 1,
        "maxLength": 100,
        "description": "`name`, `name@version`, `name@champion`, `name@challenger`, or `champion` "
        "for the one that serves, which is also the default.",
    },
    "top_k": {
        "type": "integer",
        "minimum": 1,
        "maximum": TOP_K_MOST,
        "description": f"How many labels, best first; {SHOWN_LABELS} if you do not say.",
    },
    "threshold": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "Labels with a lower score are left out.",
    },
    "priority": {
        "type": "string",
        "enum": list(PRIORITIES),
        "description": "Who comes first when there is a queue; `normal` if you do not say.",
    },
    "expires_in": {
        "type": "integer",
        "minimum": 1,
        "maximum": EXPIRES_IN_MOST,
        "description": "Seconds; what no worker has begun with by then fails with `expired`.",
    },
    "webhook": {
        "type": "string",
        "format": "uri",
        "minLength": 1,
        "maxLength": MOST_CHARACTERS,
        "description": "A public https address that is told when this prediction ends.",
    },
    "webhook_events_filter": {
        "type": "array",
        "items": {"type": "string", "enum": Event.values},
        "minItems": 1,
        "description": "What the webhook is told of; `completed` if you do not say.",
    },
    "metadata": {
        "type": "object",
        "additionalProperties": True,
        "description": f"A JSON object of your own, up to {METADATA_MOST_BYTES} bytes, "
        "which comes back as you sent it.",
    },
    "filename": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "description": "The picture's name, where the way of sending has none.",
    },
}
RERUN_OPTIONS = {name: schema for name, schema in OPTIONS.items() if name != "filename"}

GREY = {"type": "number", "minimum": 0, "maximum": 255}
IMAGE = {
    "type": "string",
    "minLength": 1,
    "contentEncoding": "base64",
    "format": "image",
    "description": "A file in base64, or a data: URI.",
}
WAYS: dict[str, JSONSchema] = {
    "image": IMAGE,
    "images": {
        "type": "array",
        "items": IMAGE,
        "minItems": 1,
        "maxItems": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
        "description": "Several; the answer is a batch.",
    },
    "pixels": {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "array",
            "minItems": 1,
            "items": {
                "oneOf": [GREY, {"type": "array", "items": GREY, "minItems": 1, "maxItems": 3}]
            },
        },
        "description": "Rows of greys or of [red, green, blue]; from 0 to 255, or from 0 to 1.",
    },
    "x": {
        "type": "array",
        "items": GREY,
        "minItems": 1,
        "description": "The greys of a square in one list, such as 784 for 28×28.",
    },
}


def _nullable(schema: JSONSchema) -> JSONSchema:
    """Clients that fill in a fixed structure send null for what they do not mean."""
    kinds = {"type": [schema["type"], "null"]}
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, **kinds, **values}


def _object(properties: JSONSchema, **more: Any) -> JSONSchema:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


# Neither a form nor an address can say that a list is empty.
OPTIONS_IN_TEXT = {
    name: {key: value for key, value in schema.items() if key != "minItems"}
    for name, schema in OPTIONS.items()
}
NULLABLE_OPTIONS = {name: _nullable(schema) for name, schema in OPTIONS.items()}
BINARY = {"type": "string", "format": "binary"}

UPLOAD = {
    "multipart/form-data": _object(
        {
            "image": {
                "type": "array",
                "items": BINARY,
                "minItems": 1,
                "maxItems": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
                "description": "One part a file. Of several, the answer is a batch.",
            },
            **OPTIONS_IN_TEXT,
        },
        required=["image"],
    ),
    "application/json": _object(
        {**WAYS, **NULLABLE_OPTIONS}, oneOf=[{"required": [way]} for way in WAYS]
    ),
    "image/*": BINARY,
    "application/octet-stream": BINARY,
}
RERUN = {
    "application/json": _object({name: NULLABLE_OPTIONS[name] for name in RERUN_OPTIONS}),
}
REVIEW = {
    "application/json": _object(
        {
            "label": {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                "description": "What the picture shows: one of the model's labels.",
            },
            "confirm": {"const": True, "description": "The first label is right."},
        },
        oneOf=[{"required": ["label"]}, {"required": ["confirm"]}],
    )
}
