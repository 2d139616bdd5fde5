"""How the REST framework and its schema are put together. Nothing here is for the operator."""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "classifier.api.authentication.BearerAuthentication",  # first: its challenge makes the 401
        "classifier.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["classifier.api.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["classifier.api.throttling.PerMinute"],
    "DEFAULT_PARSER_CLASSES": [
        "classifier.api.parsers.JSONParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "classifier.api.browsable.BrowsableRenderer",
    ],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "classifier.api.negotiation.Negotiation",
    "DEFAULT_SCHEMA_CLASS": "classifier.api.schema.Schema",
    "EXCEPTION_HANDLER": "classifier.api.errors.handle",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Sightline",
    "DESCRIPTION": (
        "Send images, get their classes, and find every answer again.\n\n"
        "Programs send a token as `Authorization: Bearer slt_…`. Everything that goes wrong is "
        "answered as `application/problem+json` (RFC 9457); the `type` of a problem is the "
        "address of a page that says what to do about it."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["classifier.api.permissions.HasScope"],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "WEBHOOKS": ["classifier.api.webhook_messages.PREDICTION"],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums"],
}
