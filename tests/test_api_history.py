"""The list of one's predictions: pages that stay right, filters that mean what they say."""

import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from itertools import chain
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from classifier.models import Batch, Prediction, User
from classifier.queries import queue
from tests.api import caller
from tests.factories import ImageFactory, ModelVersionFactory, PredictionFactory

URL = "/api/v1/predictions/"


@pytest.fixture
def api(user: User) -> Client:
    return caller(user)


@pytest.fixture
def image(user: User):
    return ImageFactory(owner=user)


def found(api: Client, query: str = "") -> list[str]:
    response = api.get(URL + query)
    assert response.status_code == 200, response.content
    return [item["id"] for item in response.json()["results"]]


def ids(*rows: Prediction) -> list[str]:
    return [str(row.id) for row in rows]


def refused(api: Client, query: str) -> list[str]:
    response = api.get(URL + query)
    assert response.status_code == 422, (query, response.content)
    return [item["parameter"] for item in response.json()["errors"]]


def walk(api: Client, query: str, towards: str = "next") -> list[list[str]]:
    """All pages from this one on."""
    pages, url = [], URL + query
    while url:
        body = api.get(url).json()
        pages.append([item["id"] for item in body["results"]])
        url = body[towards]
    return pages


# --- Pages ---------------------------------------------------------------------------------------


def test_pages_lead_on_and_back_through_all_rows_once(api, image, serving):
    rows = [PredictionFactory(image=image, model_version=serving) for _ in range(7)][::-1]
    pages = walk(api, "?page_size=3")
    assert pages == [ids(*rows[:3]), ids(*rows[3:6]), ids(*rows[6:])]
    assert walk(api, "?page_size=3&ordering=created_at") == [
        ids(*rows[:3:-1]),
        ids(*rows[3:0:-1]),
        ids(rows[0]),
    ]
    last = api.get(api.get(api.get(f"{URL}?page_size=3").json()["next"]).json()["next"]).json()
    back = api.get(last["previous"]).json()
    assert [item["id"] for item in back["results"]] == pages[1]
    first = api.get(back["previous"]).json()
    assert [item["id"] for item in first["results"]] == pages[0]
    assert first["previous"] is None
    assert first["next"]


def test_a_page_stays_right_while_rows_come(api, image, serving):
    rows = [PredictionFactory(image=image, model_version=serving) for _ in range(4)][::-1]
    following = api.get(f"{URL}?page_size=2").json()["next"]
    PredictionFactory(image=image, model_version=serving)
    assert [item["id"] for item in api.get(following).json()["results"]] == ids(*rows[2:])


def test_equal_scores_are_told_apart(api, image, serving):
    rows = [PredictionFactory(image=image, model_version=serving, succeeded=True) for _ in range(5)]
    Prediction.objects.filter(id=rows[0].id).update(top_score=0.3)
    PredictionFactory(image=image, model_version=serving)
    pages = walk(api, "?page_size=2&ordering=-score")
    assert pages == [ids(rows[4], rows[3]), ids(rows[2], rows[1]), ids(rows[0])]
    assert [*chain(*walk(api, "?page_size=2&ordering=score"))] == ids(*rows)
    last = api.get(
        api.get(api.get(f"{URL}?page_size=2&ordering=-score").json()["next"]).json()["next"]
    )
    assert [item["id"] for item in api.get(last.json()["previous"]).json()["results"]] == pages[1]


def test_an_empty_list_has_no_neighbours(api):
    assert api.get(URL).json() == {"next": None, "previous": None, "results": []}


def test_where_all_before_is_gone_previous_leads_to_the_beginning(api, image, serving):
    for _ in range(3):
        PredictionFactory(image=image, model_version=serving)
    last = api.get(api.get(f"{URL}?page_size=2").json()["next"]).json()
    Prediction.objects.exclude(id=last["results"][0]["id"]).delete()
    before = api.get(last["previous"]).json()
    assert (before["results"], before["previous"]) == ([], None)
    assert len(api.get(before["next"]).json()["results"]) == 1


def cursor(*parts: object) -> str:
    return urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "§",
        "AAAA",
        cursor(0, "x", None),
        cursor(0, 7, None),
        cursor(0, "0" * 32, 0.5),
        cursor(0, "0" * 32, "x"),
        cursor(0, "0" * 32),
        urlsafe_b64encode(b"[" * 9000).decode(),
        urlsafe_b64encode(b'[0, "' + b"0" * 32 + b'", 1e999]').decode(),
    ],
)
def test_a_cursor_that_is_none_leads_nowhere(api, text):
    orderings = ["", "score"] if text != cursor(0, "0" * 32, 0.5) else [""]
    for ordering in orderings:
        query = f"?cursor={quote(text)}" + (f"&ordering={ordering}" if ordering else "")
        response = api.get(URL + query)
        assert response.status_code == 404, query
        assert [item["parameter"] for item in response.json()["errors"]] == ["cursor"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("?page_size=0", "page_size"),
        ("?page_size=201", "page_size"),
        ("?page_size=" + "1" * 5000, "page_size"),
        ("?page_size=x", "page_size"),
        ("?page_size=", "page_size"),
        ("?page_size=٣", "page_size"),
        ("?ordering=id", "ordering"),
        ("?ordering=", "ordering"),
        ("?ordering=--score", "ordering"),
        ("?ordering=owner__password", "ordering"),
    ],
)
def test_a_page_asked_for_in_a_way_that_makes_no_sense_is_refused(api, query, name):
    assert refused(api, query) == [name]


def test_a_page_costs_the_same_however_many_rows_it_has(
    api, user, serving, django_assert_num_queries
):
    def made(count: int) -> None:
        for _ in range(count):
            PredictionFactory(image__owner=user)
            PredictionFactory(image__owner=user, succeeded=True)

    made(2)
    found(api)
    queue._pace.cache_clear()
    with django_assert_num_queries(4) as few:  # token, page, places, pace
        found(api)
    made(10)
    queue._pace.cache_clear()
    with django_assert_num_queries(4):
        assert len(found(api)) == 24
    assert not any("spec" in query["sql"] for query in few.captured_queries)


# --- Filters -------------------------------------------------------------------------------------


def test_by_state(api, image, serving):
    waits = PredictionFactory(image=image, model_version=serving)
    done = PredictionFactory(image=image, model_version=serving, succeeded=True)
    failed = PredictionFactory(image=image, model_version=serving, failed=True)
    assert found(api, "?status=queued") == ids(waits)
    assert found(api, "?status=failed&status=succeeded") == ids(failed, done)
    assert found(api, "?status=&label=") == ids(failed, done, waits)
    assert refused(api, "?status=done") == ["status"]


def test_by_model(api, image):
    one, two = (ModelVersionFactory(name="resnet50", version=v) for v in (1, 2))
    first, second = (PredictionFactory(image=image, model_version=v) for v in (one, two))
    PredictionFactory(image=image, model_version=ModelVersionFactory(name="other"))
    assert found(api, "?model=resnet50") == ids(second, first)
    assert found(api, "?model=resnet50@2") == ids(second)
    for nothing in ("resnet", "resnet50@3", "resnet50@x", "resnet50@" + "9" * 80, "@1", "@"):
        assert found(api, f"?model={nothing}") == []


def test_by_label_and_score(api, image, serving):
    cat = PredictionFactory(image=image, model_version=serving, succeeded=True)
    dog = PredictionFactory(
        image=image, model_version=serving, succeeded=True, top_label="dog", top_score=0.4
    )
    PredictionFactory(image=image, model_version=serving)
    assert found(api, "?label=cat") == ids(cat)
    assert found(api, "?label=ca") == []
    assert found(api, "?min_score=0.4") == ids(dog, cat)
    assert found(api, "?min_score=0.41") == ids(cat)
    assert found(api, "?max_score=0.4") == ids(dog)
    assert refused(api, "?min_score=x&max_score=2") == ["min_score", "max_score"]
    for wrong in ("nan", "1e999", "-0.1"):
        assert refused(api, f"?min_score={wrong}") == ["min_score"]
    assert refused(api, "?label=%00") == ["label"]


def test_by_time(api, image, serving):
    old, new = (PredictionFactory(image=image, model_version=serving) for _ in range(2))
    moment = timezone.now() - timedelta(days=1)
    Prediction.objects.filter(id=old.id).update(created_at=moment - timedelta(hours=1))
    written = quote(moment.isoformat())
    assert found(api, f"?created_after={written}") == ids(new)
    assert found(api, f"?created_before={written}") == ids(old)
    assert found(api, f"?created_before={quote(moment.strftime('%Y-%m-%dT%H:%M:%SZ'))}") == ids(old)
    for wrong in ("yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00%2B23:59"):
        assert refused(api, f"?created_after={wrong}") == ["created_after"]
    assert found(api, "?created_before=0001-01-01T00:00:00Z") == []
    assert len(found(api, "?created_after=0001-01-01T00:00:00-23:59")) == 2
    assert refused(api, "?created_before=9999-12-31T23:59:59-23:59") == ["created_before"]


def test_by_source_and_batch(api, user, image, serving):
    batch = Batch.objects.create(owner=user, size=1)
    one = PredictionFactory(image=image, model_version=serving, source="api", batch=batch)
    two = PredictionFactory(image=image, model_version=serving, source="oip")
    PredictionFactory(image=image, model_version=serving)
    assert found(api, "?source=api") == ids(one)
    assert found(api, "?source=api&source=oip") == ids(two, one)
    assert found(api, f"?batch={batch.id}") == ids(one)
    assert found(api, "?batch=00000000-0000-7000-8000-000000000000") == []
    assert refused(api, "?batch=7&source=fax") == ["source", "batch"]


def test_by_metadata(api, image, serving):
    def with_metadata(**metadata):
        return PredictionFactory(image=image, model_version=serving, metadata=metadata)

    text = with_metadata(shelf="B7", row="7")
    number = with_metadata(shelf="B8", row=7, share=0.5)
    truth = with_metadata(ready=True, note='it\'s 100% "so"')
    nested = with_metadata(**{"a.b": {"c": 1}})
    assert found(api, "?metadata.shelf=B7") == ids(text)
    assert found(api, "?metadata.row=7") == ids(number, text)
    assert found(api, "?metadata.row=7&metadata.shelf=B8") == ids(number)
    assert found(api, "?metadata.share=0.5") == ids(number)
    assert found(api, "?metadata.ready=true") == ids(truth)
    assert found(api, "?metadata.note=" + quote('it\'s 100% "so"')) == ids(truth)
    for nothing in ("shelf__startswith=B", "shelf=B", "none=1", "ready=1", "a=1", "shelf=null"):
        assert found(api, f"?metadata.{nothing}") == []
    assert found(api, "?metadata.a.b=1") == []
    assert nested


@pytest.mark.parametrize("name", ["", "0", "-1", "a'b", 'a"b', "a b", "§", "a%00", "x" * 101])
def test_a_metadata_key_that_is_no_name_is_refused(api, name):
    assert len(refused(api, f"?metadata.{quote(name, safe='%')}=x")) == 1


@pytest.mark.parametrize("value", ["%00", "1e999", "NaN", "9" * 5000, "[1]", "{}", "[" * 9000])
def test_no_value_of_metadata_upsets_the_database(api, image, serving, value):
    PredictionFactory(image=image, model_version=serving, metadata={"a": 1})
    response = api.get(f"{URL}?metadata.a={value}")
    assert response.status_code == (422 if value == "%00" else 200)


def test_an_unknown_parameter_is_refused_with_what_was_probably_meant(api):
    response = api.get(f"{URL}?state=queued&lable=cat")
    assert response.status_code == 422
    faults = {item["parameter"]: item["detail"] for item in response.json()["errors"]}
    assert "Did you mean label?" in faults["lable"]
    assert refused(api, "?owner=1&status__in=queued") == ["owner", "status__in"]


def test_a_parameter_without_its_value_is_refused_but_not_that_of_the_form(api, signed_in):
    names = ["min_score", "max_score", "created_after", "created_before", "batch"]
    query = "?" + "".join(f"{name}=&" for name in (*names, "model", "label"))
    assert refused(api, query) == names
    assert signed_in.get(URL + query, headers={"Accept": "text/html"}).status_code == 200


def test_filters_go_on_through_the_pages(api, image, serving):
    rows = [PredictionFactory(image=image, model_version=serving, failed=True) for _ in range(3)]
    PredictionFactory(image=image, model_version=serving)
    assert [*chain(*walk(api, "?status=failed&page_size=2"))] == ids(*rows[::-1])
