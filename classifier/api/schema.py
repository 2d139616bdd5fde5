"""What the OpenAPI schema says of every operation, so that no view has to say it again."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, OpenApiResponse
from rest_framework import serializers

from classifier.api.errors import MEDIA_TYPE
from classifier.api.problems import PROBLEMS

ALWAYS = frozenset({401, 403, 406, 429, 500})
WITH_BODY = frozenset({400, 411, 413, 415, 422})
# The web server itself says so, before anything of ours sees the request.
TOO_LONG = OpenApiResponse(description="The address is longer than 8190 bytes, its query included.")


class FaultSerializer(serializers.Serializer[Any]):
    """One thing that is wrong with the request."""

    pointer = serializers.CharField(required=False, help_text="Where in the body (RFC 6901).")
    parameter = serializers.CharField(required=False, help_text="Which part of the query.")
    code = serializers.CharField(help_text="What is wrong, for programs.")
    detail = serializers.CharField(help_text="What is wrong, for people.")


class ProblemSerializer(serializers.Serializer[Any]):
    """A refusal (RFC 9457)."""

    type = serializers.URLField(help_text="A page that says what it means and what to do.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What is particular to this one.")
    code = serializers.CharField(help_text="Which kind, for programs: the last part of `type`.")
    errors = FaultSerializer(  # type: ignore[assignment]
        many=True, help_text="Each thing that is wrong, where one can say."
    )


class Schema(AutoSchema):
    """An operation, with the first line of its docstring on top and all that it may refuse."""

    def get_summary(self) -> str | None:
        """The docstring's first line."""
        return self._docstring()[0] or None

    def get_description(self) -> str:  # type: ignore[override]
        """The rest of the docstring."""
        return self._docstring()[1]

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        """The view's own answers, and the problems that any such operation can have."""
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if direction == "request":  # a webhook, whose receiver answers
            return bodies
        for status in sorted(self._problems() - {int(code) for code in bodies}):
            problem = OpenApiResponse(ProblemSerializer, _describe(status))
            code = str(status)
            bodies[code] = self._get_response_for_code(  # type: ignore[no-untyped-call]
                problem, code, [MEDIA_TYPE], direction
            )
        if self._in_query():
            bodies["414"] = self._get_response_for_code(TOO_LONG, "414", None, direction)  # type: ignore[no-untyped-call]
        return bodies

    def _problems(self) -> set[int]:
        """By status, all that stands in front of the view or follows from its address and body."""
        found = set(ALWAYS)
        in_query = self._in_query()
        if "{" in self.path or in_query & {"cursor", "page"}:
            found |= {404}
        if self.method in {"POST", "PUT", "PATCH"}:
            found |= WITH_BODY
        if in_query:
            found |= {422}
        return found

    def _in_query(self) -> set[str]:
        return {one["name"] for one in self._get_parameters() if one["in"] == "query"}

    def _docstring(self) -> tuple[str, str]:
        text = super().get_description() or ""
        first, _, rest = text.strip().partition("\n")
        return first.strip(), rest.strip()


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "classifier.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, list[str]]:
        """The scope that a token needs, as OpenAPI 3.1 has it for every kind of scheme."""
        scope = getattr(auto_schema.view, "scopes", {}).get(auto_schema.method)
        return {self.name: [scope.value] if scope else []}

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """How the schema calls it."""
        return {"type": "http", "scheme": "bearer", "description": "A token of the token page."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "classifier.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """How the schema calls it."""
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "The session of the pages; writing needs the X-CSRFToken header too.",
        }


def refusals(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """The answers that are problems, for `responses` of what a view alone may refuse."""
    return {
        (status, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, _describe(status))
        for status in statuses
    }


def _describe(status: int) -> str:
    """The short names of all problems with this status."""
    slugs = ", ".join(f"`{slug}`" for slug, kind in PROBLEMS.items() if kind.status == status)
    return f"{HTTPStatus(status).phrase}: {slugs}."
