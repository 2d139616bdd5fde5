"""Programs see which models there are, and all that is known of each."""

import pytest
from django.test import Client

from classifier.actions.promote import activate
from classifier.models import ModelVersion, Scope, User
from tests.api import caller
from tests.factories import SPEC, ModelVersionFactory

MODELS = "/api/v1/models/"


@pytest.fixture
def reader(user: User) -> Client:
    return caller(user, Scope.MODELS_READ)


def test_they_are_listed_by_name_with_the_version_that_serves_first(reader: Client) -> None:
    for version in (1, 2, 3):
        ModelVersionFactory(name="birds", version=version)
    activate(ModelVersion.objects.get(version=2))
    activate(ModelVersionFactory(name="animals", version=1))
    page = reader.get(MODELS).json()
    assert page["count"] == 2
    animals, birds = page["results"]
    assert (animals["name"], animals["serves"]) == ("animals", True)
    assert (birds["name"], birds["serves"], birds["version"]) == ("birds", False, 2)
    assert [version["version"] for version in birds["versions"]] == [2, 3, 1]


def test_the_one_that_answers_by_default_is_called_champion(reader: Client, serving) -> None:
    ModelVersionFactory(name=serving.name)
    [model] = reader.get(MODELS).json()["results"]
    assert {v["version"]: v["aliases"] for v in model["versions"]} == {
        serving.version: ["champion"],
        serving.version + 1: [],
    }


def test_where_none_serves_none_is_said_to(reader: Client, db: None) -> None:
    ModelVersionFactory()
    [model] = reader.get(MODELS).json()["results"]
    assert model["serves"] is False
    assert model["versions"][0]["activated_at"] is None


def test_many_come_in_pages(reader: Client, db: None) -> None:
    for name in ("a", "b", "c"):
        ModelVersionFactory(name=name)
    page = reader.get(MODELS, {"page_size": 2}).json()
    assert [model["name"] for model in page["results"]] == ["a", "b"]
    assert page["previous"] is None
    page = reader.get(page["next"]).json()
    assert [model["name"] for model in page["results"]] == ["c"]
    assert page["next"] is None
    assert reader.get(page["previous"]).json()["results"][0]["name"] == "a"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("page", value) for value in ("0", "x", "²", "9" * 5000)),
        *(("page_size", value) for value in ("0", "201", "")),
    ],
)
def test_a_page_that_cannot_be_is_refused(reader: Client, serving, name: str, value: str) -> None:
    response = reader.get(MODELS, {name: value})
    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == name


def test_a_page_behind_the_last_one_is_not_there(reader: Client, serving) -> None:
    response = reader.get(MODELS, {"page": "2"})
    assert response.status_code == 404


def test_a_model_has_an_address(reader: Client, serving: ModelVersion) -> None:
    [listed] = reader.get(MODELS).json()["results"]
    assert listed["urls"]["get"] == "http://testserver/api/v1/models/everyday/"
    assert reader.get(listed["urls"]["get"]).json() == listed


def test_a_version_tells_all_that_is_known_of_it(reader: Client) -> None:
    version = ModelVersionFactory(
        licence="MIT", source="https://example.org/", metrics={"top1": 0.9}, engine="onnxruntime"
    )
    [model] = reader.get(MODELS).json()["results"]
    shown = reader.get(model["versions"][0]["urls"]["get"]).json()
    assert shown["labels"] == SPEC["labels"]
    assert shown["spec"] == {name: value for name, value in SPEC.items() if name != "labels"}
    assert shown["metrics"] == {"top1": 0.9}
    assert (shown["licence"], shown["source"]) == ("MIT", "https://example.org/")
    assert (shown["engine"], shown["architecture"]) == ("onnxruntime", version.architecture)
    assert shown["urls"]["model"] == model["urls"]["get"]
    assert reader.get(shown["urls"]["get"]).json() == shown


@pytest.mark.parametrize(
    "path",
    [
        "nothing/",
        "everyday/versions/99/",
        "everyday/versions/99999999999999999999/",
        "a" * 99 + "/",
    ],
)
def test_what_is_not_installed_is_not_there(reader: Client, serving, path: str) -> None:
    response = reader.get(MODELS + path)
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


def test_a_list_costs_the_same_queries_however_long_it_is(
    reader: Client, db: None, django_assert_max_num_queries
) -> None:
    for name in ("a", "b", "c", "d"):
        activate(ModelVersionFactory(name=name))
    reader.get(MODELS)
    with django_assert_max_num_queries(5):  # the token, the count, the names, versions, serving
        reader.get(MODELS)


@pytest.mark.parametrize("reference", ["", "champion"])
def test_nothing_and_champion_mean_the_version_that_serves(serving, reference: str) -> None:
    ModelVersionFactory()
    assert ModelVersion.objects.asked_for(reference) == serving


@pytest.mark.parametrize("reference", ["everyday", "everyday@1", "everyday@"])
def test_a_name_means_its_version_that_served_last(db: None, reference: str) -> None:
    first, _ = ModelVersionFactory(version=1), ModelVersionFactory(version=2)
    activate(first)
    assert ModelVersion.objects.asked_for(reference) == first


@pytest.mark.parametrize(
    "reference", ["nobody", "everyday@3", "everyday@x", "everyday@" + "9" * 5000, "\0", "\ud800"]
)
def test_a_reference_to_nothing_is_no_error_of_the_database(serving, reference: str) -> None:
    with pytest.raises(ModelVersion.DoesNotExist):
        ModelVersion.objects.asked_for(reference)
