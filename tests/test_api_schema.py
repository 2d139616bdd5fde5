"""The schema describes every operation, and what each may refuse."""

import io
import re

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from classifier.models import User
from tests.api import caller

SCHEMA = "/api/v1/schema/"


@pytest.fixture(scope="module")
def schema() -> dict:
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    return yaml.safe_load(out.getvalue())


def operations(schema: dict) -> list[tuple[str, str, dict]]:
    return [
        (method, path, operation)
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def test_it_is_valid_and_nothing_was_guessed(schema: dict) -> None:
    assert schema["openapi"].startswith("3.1.")
    assert operations(schema)


def test_every_operation_has_a_name_a_place_and_one_line(schema: dict) -> None:
    names = set()
    for method, path, operation in operations(schema):
        where = f"{method} {path}"
        assert re.fullmatch(r"[a-z][a-z_]+", operation["operationId"]), where
        assert operation["operationId"] not in names, where
        assert operation.get("tags"), where
        assert 10 <= len(operation.get("summary", "")) <= 100, where
        names.add(operation["operationId"])


def test_every_operation_can_be_called_with_a_token_or_a_session(schema: dict) -> None:
    for method, path, operation in operations(schema):
        schemes = [name for choice in operation["security"] for name in choice]
        assert schemes == ["bearer", "session"], (method, path)
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_every_refusal_is_a_problem(schema: dict) -> None:
    for method, path, operation in operations(schema):
        refusals = {code: r for code, r in operation["responses"].items() if int(code) >= 400}
        refusals.pop("414", None)  # of the web server, in its own words
        assert {"401", "403", "406", "429", "500"} <= set(refusals), (method, path)
        for code, response in refusals.items():
            content = response["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, (path, code)
            assert response["description"], (method, path, code)


def test_what_has_a_body_or_a_name_in_its_address_says_what_may_be_wrong_with_it(
    schema: dict,
) -> None:
    for method, path, operation in operations(schema):
        codes = set(operation["responses"])
        if method in {"post", "put", "patch"}:
            assert {"400", "411", "413", "415", "422"} <= codes, (method, path)
        if "{" in path:
            assert "404" in codes, (method, path)


def test_the_scope_that_a_token_needs_is_named(schema: dict) -> None:
    [bearer] = [
        choice["bearer"]
        for choice in schema["paths"]["/api/v1/models/"]["get"]["security"]
        if "bearer" in choice
    ]
    assert bearer == ["models:read"]


@pytest.mark.parametrize(
    ("headers", "query", "kind"),
    [
        ({}, "", "application/json"),
        ({"Accept": "*/*"}, "", "application/json"),
        ({}, "?format=json", "application/json"),
        ({"Accept": "application/vnd.oai.openapi"}, "", "application/vnd.oai.openapi"),
        ({}, "?format=yaml", "application/vnd.oai.openapi"),
    ],
)
def test_it_is_served_as_json_and_as_yaml(
    user: User, schema: dict, headers: dict[str, str], query: str, kind: str
) -> None:
    response = caller(user).get(SCHEMA + query, headers=headers)
    assert response["Content-Type"].startswith(kind)
    assert yaml.safe_load(response.content)["paths"].keys() == schema["paths"].keys()


def test_the_first_address_lists_what_there_is(user: User) -> None:
    program = caller(user)
    for name, url in program.get("/api/v1/").json().items():
        assert url == f"http://testserver/api/v1/{name}/"
        assert program.get(url).status_code in {200, 302}, name


def test_the_first_address_is_a_page_for_a_browser(signed_in: Client) -> None:
    response = signed_in.get("/api/v1/", headers={"Accept": "text/html"})
    assert response["Content-Type"].startswith("text/html")
    assert 'href="http://testserver/api/v1/models/"' in response.text


def test_the_docs_page_names_the_schema_and_runs_no_script_of_its_own(signed_in: Client) -> None:
    response = signed_in.get("/api/v1/docs/")
    assert f'data-schema="{SCHEMA}"' in response.text
    assert "<script>" not in response.text
    assert "script-src 'self';" in response["Content-Security-Policy"] + ";"
