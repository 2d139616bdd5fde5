"""Batches: how far they are, and their results in every format."""

import csv
import io
import json
from datetime import timedelta

import jsonschema
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from classifier.models import Batch, Image, Prediction, Status, User
from classifier.queries import queue
from tests.api import caller
from tests.factories import PredictionFactory, UserFactory, image_bytes

URL = "/api/v1/batches/"


@pytest.fixture
def api(user: User) -> Client:
    return caller(user)


@pytest.fixture
def sent(api: Client, serving) -> dict[str, object]:
    """A batch of two pictures and something else in between."""
    files = [
        SimpleUploadedFile("a.png", image_bytes()),
        SimpleUploadedFile("=cmd()|'x'!A1", b"none"),
        SimpleUploadedFile("c.png", image_bytes(colour="red")),
    ]
    return api.post("/api/v1/predictions/", {"image": files}).json()


def answer(index: int, **fields: object) -> None:
    output = [{"label": "cat", "score": 0.875}, {"label": "dog", "score": 0.125}]
    now = timezone.now()
    values = {"status": Status.SUCCEEDED, "output": output, "completed_at": now, **fields}
    assert Prediction.objects.filter(batch_index=index).update(**values) == 1


def schema_of(name: str) -> dict[str, object]:
    document = SchemaGenerator().get_schema(request=None, public=True)
    return {"$ref": f"#/components/schemas/{name}", "components": document["components"]}


def test_a_batch_tells_how_far_it_is(api, sent):
    jsonschema.validate(sent, schema_of("BatchWithItems"))
    assert (sent["size"], sent["progress"]) == (3, 0.3333)
    answer(0)
    body = api.get(sent["urls"]["get"]).json()
    jsonschema.validate(body, schema_of("Batch"))
    assert body["progress"] == 0.6667
    assert body["counts"] == {
        "queued": 1,
        "running": 0,
        "succeeded": 1,
        "failed": 0,
        "canceled": 0,
        "refused": 1,
    }
    answer(2, status=Status.FAILED, output=None, error_code="undecodable")
    done = api.get(sent["urls"]["get"]).json()
    assert (done["progress"], done["eta_seconds"], done["counts"]["failed"]) == (1, None, 1)


def test_the_time_until_the_last_one_is_estimated_from_the_queue(api, user, serving, sent):
    now = timezone.now()
    other = PredictionFactory(succeeded=True)
    Prediction.objects.filter(id=other.id).update(
        started_at=now, completed_at=now + timedelta(seconds=2)
    )
    queue._pace.cache_clear()
    assert api.get(sent["urls"]["get"]).json()["eta_seconds"] == 4
    assert api.get(URL).json()["results"][0]["eta_seconds"] == 4


def test_a_batch_far_back_in_the_queue_has_no_estimate(api, sent, monkeypatch):
    monkeypatch.setattr(queue, "COUNTED_PLACES", 1)
    PredictionFactory(succeeded=True)
    assert api.get(sent["urls"]["get"]).json()["eta_seconds"] is None


def test_an_item_has_the_name_with_which_it_was_sent(api, serving):
    api.post("/api/v1/predictions/", {"image": SimpleUploadedFile("old.png", image_bytes())})
    files = [SimpleUploadedFile(name, image_bytes()) for name in ("a.png", "b.png")]
    sent = api.post("/api/v1/predictions/", {"image": files}).json()
    assert [item["name"] for item in sent["items"]] == ["a.png", "b.png"]
    assert len({item["prediction"]["id"] for item in sent["items"]}) == 2
    assert Image.objects.count() == 1


def test_the_results_come_as_json(api, sent):
    answer(0)
    response = api.get(sent["urls"]["results"])
    assert response["Content-Type"] == "application/json"
    jsonschema.validate(response.json(), schema_of("Items"))
    items = response.json()["items"]
    assert [item["index"] for item in items] == [0, 1, 2]
    assert items[0]["prediction"]["output"][0]["label"] == "cat"
    assert items[1]["error"]["code"] == "unknown_format"


@pytest.mark.parametrize(
    "wanted",
    [{"query_params": {"format": "ndjson"}}, {"headers": {"Accept": "application/x-ndjson"}}],
)
def test_the_results_come_line_by_line(api, sent, wanted):
    response = api.get(sent["urls"]["results"], **wanted)
    assert response["Content-Type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in response.content.splitlines()]
    assert lines == api.get(sent["urls"]["results"]).json()["items"]
    assert response.content.endswith(b"\n")


@pytest.mark.parametrize(
    "wanted", [{"query_params": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}]
)
def test_the_results_come_as_a_table(api, sent, wanted):
    answer(0)
    answer(2, status=Status.FAILED, output=None, error_code="expired", error_detail="Too late.")
    response = api.get(sent["urls"]["results"], **wanted)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert sent["id"] in response["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))
    assert [row["status"] for row in rows] == ["succeeded", "refused", "failed"]
    assert (rows[0]["label"], float(rows[0]["score"])) == ("cat", 0.875)
    assert rows[0]["prediction"] == sent["items"][0]["prediction"]["id"]
    assert (rows[2]["error_code"], rows[2]["error_detail"]) == ("expired", "Too late.")


def test_no_cell_of_the_table_is_a_formula(api, sent):
    output = [{"label": "=HYPERLINK(1)", "score": 0.5}]
    answer(0, output=output)
    for name in ("@a", "+a", "-a", "\ta", "\ra"):
        Batch.objects.update(names=["a.png", "", name])
        response = api.get(sent["urls"]["results"], query_params={"format": "csv"})
        rows = list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))
        assert rows[0]["label"] == "'=HYPERLINK(1)"
        assert rows[1]["name"] == "'=cmd()|'x'!A1"
        assert rows[2]["name"] == f"'{name}"


def test_what_options_tells_is_no_table(api, sent):
    assert api.options(sent["urls"]["results"]).json()["name"] == "Batch Results"
    assert api.options(sent["urls"]["results"], query_params={"format": "csv"}).status_code == 406


@pytest.mark.parametrize("format", ["xlsx", ""])
def test_an_unknown_format_is_not_there(api, sent, format):
    assert api.get(sent["urls"]["results"], query_params={"format": format}).status_code in {
        404,
        406,
    }


def test_canceling_a_batch_withdraws_what_waits(api, sent):
    answer(0)
    for _ in range(2):
        response = api.post(sent["urls"]["cancel"])
        assert response.status_code == 200
        assert response.json()["counts"]["canceled"] == 1
        assert response.json()["counts"]["succeeded"] == 1
        assert response.json()["progress"] == 1


def test_deleting_a_batch_takes_all_of_it(api, user, sent):
    other = PredictionFactory(image__owner=user)
    response = api.delete(sent["urls"]["get"])
    assert (response.status_code, response.content) == (204, b"")
    assert not Batch.objects.exists()
    assert [row.id for row in Prediction.objects.all()] == [other.id]
    assert Image.objects.count() == 1
    assert api.get(sent["urls"]["get"]).status_code == 404


def test_a_batch_without_its_deleted_predictions_is_as_far_as_the_rest(api, sent):
    answer(0)
    api.delete(sent["items"][2]["prediction"]["urls"]["get"])
    body = api.get(sent["urls"]["get"]).json()
    assert (body["size"], body["progress"]) == (3, 1)
    assert [item["index"] for item in api.get(sent["urls"]["results"]).json()["items"]] == [0, 1]


def test_the_batch_of_somebody_else_is_not_there(sent):
    stranger = caller(UserFactory())
    for path in ("get", "results"):
        assert stranger.get(sent["urls"][path]).status_code == 404
    assert stranger.post(sent["urls"]["cancel"]).status_code == 404
    assert stranger.delete(sent["urls"]["get"]).status_code == 404
    assert stranger.get(URL).json()["results"] == []
    assert Prediction.objects.filter(status=Status.QUEUED).count() == 2


def test_ones_batches_are_listed_newest_first(api, user, sent):
    later = Batch.objects.create(owner=user, size=1)
    body = api.get(URL, query_params={"page_size": 1}).json()
    assert [item["id"] for item in body["results"]] == [str(later.id)]
    following = api.get(body["next"]).json()
    assert [item["id"] for item in following["results"]] == [sent["id"]]
    assert following["results"][0]["counts"]["refused"] == 1
    assert following["next"] is None
    assert api.get(URL, query_params={"status": "queued"}).status_code == 422
    assert api.get(URL, query_params={"metadata.a": "b"}).status_code == 422


def test_a_page_of_batches_costs_the_same_however_many_there_are(
    api, user, serving, sent, django_assert_num_queries
):
    with django_assert_num_queries(5):
        api.get(URL)
    for _ in range(5):
        PredictionFactory(
            image__owner=user, model_version=serving, batch=Batch.objects.create(owner=user, size=1)
        )
    with django_assert_num_queries(5):
        assert len(api.get(URL).json()["results"]) == 6


def test_results_cost_the_same_however_many_there_are(
    api, user, serving, sent, django_assert_max_num_queries
):
    batch = Batch.objects.get()
    Batch.objects.update(names=["a.png"] * 9)
    for index in range(3, 9):
        PredictionFactory(image__owner=user, model_version=serving, batch=batch, batch_index=index)
    with django_assert_max_num_queries(5):
        assert len(api.get(sent["urls"]["results"]).json()["items"]) == 9
