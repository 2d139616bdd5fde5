"""A request with a key is done once, however often and in whatever bytes it is sent."""

import hashlib
import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, encode_multipart
from django.utils import timezone

from classifier.models import Batch, IdempotencyKey, Image, Prediction, Status, User
from tests.api import caller
from tests.factories import PredictionFactory, UserFactory, image_bytes
from tests.test_queue_races import at_once

URL = "/api/v1/predictions/"


@pytest.fixture
def api(user: User) -> Client:
    return caller(user)


def picture(name: str = "cat.png", **options: object) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, image_bytes(**options), "image/png")


def post(api: Client, key: str = "mine", **form: object):
    return api.post(URL, {"image": picture(), **form}, headers={"Idempotency-Key": key})


def post_json(api: Client, url: str, body: object, key: str = "mine"):
    headers = {"Idempotency-Key": key}
    return api.post(url, json.dumps(body), content_type="application/json", headers=headers)


def test_the_same_request_sent_again_finds_what_the_first_one_made(api, serving):
    first, second = post(api), post(api)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert second["Location"] == first["Location"]
    assert Prediction.objects.count() == 1


def test_a_replay_shows_the_prediction_as_it_is_now(api, serving):
    post(api)
    Prediction.objects.update(status=Status.CANCELED, completed_at=timezone.now())
    again = post(api)
    assert (again.status_code, again.json()["status"]) == (201, "canceled")


def test_a_form_with_another_boundary_is_the_same_request(api, serving):
    def sent(boundary: str, *names: str):
        values = {"top_k": "3", "metadata": '{"a": 1}', "image": picture()}
        body = encode_multipart(boundary, {name: values[name] for name in names})
        kind = f"multipart/form-data; boundary={boundary}"
        headers = {"Idempotency-Key": "mine"}
        return api.post(URL, body, content_type=kind, headers=headers).json()["id"]

    assert sent(BOUNDARY, "image", "top_k", "metadata") == sent("xyz", "metadata", "top_k", "image")


@pytest.mark.parametrize(
    "other",
    [{"top_k": "4"}, {"image": picture(colour="red")}, {"image": picture("dog.png")}],
)
def test_the_key_with_another_request_is_refused(api, serving, other):
    post(api, top_k="3")
    response = post(api, **{"top_k": "3", **other})
    assert (response.status_code, response.json()["code"]) == (422, "key_reused")
    assert Prediction.objects.count() == 1


def test_a_rerun_is_another_request_than_an_upload(api, user, serving):
    row = PredictionFactory(image__owner=user, succeeded=True)
    url = f"{URL}{row.id}/rerun/"
    first, second = (post_json(api, url, {"top_k": 2}) for _ in range(2))
    assert (first.status_code, second["Idempotency-Replayed"]) == (202, "true")
    assert first.json()["id"] == second.json()["id"]
    assert post_json(api, url, {"top_k": 3}).status_code == 422
    assert post(api).status_code == 422


def test_several_pictures_are_one_request(api, serving):
    files = [("a.png", image_bytes()), ("b.txt", b"none"), ("c.png", image_bytes(colour="red"))]

    def sent(*content):
        images = [SimpleUploadedFile(name, some) for name, some in content]
        return post(api, image=images)

    first, second = sent(*files), sent(*files)
    assert first.json()["id"] == second.json()["id"]
    assert second["Idempotency-Replayed"] == "true"
    assert [item["status"] for item in second.json()["items"]] == [
        "accepted",
        "refused",
        "accepted",
    ]
    assert sent(*reversed(files)).status_code == 422
    assert Batch.objects.count() == 1


def test_the_key_of_somebody_else_is_another_key(api, serving):
    mine, theirs = post(api).json()["id"], post(caller(UserFactory())).json()["id"]
    assert mine != theirs


def test_while_the_first_is_being_worked_on_the_second_is_asked_to_come_back(api, user, serving):
    digest = hashlib.sha256(image_bytes()).hexdigest()
    now = timezone.now()
    post(api)
    made = IdempotencyKey.objects.get()
    IdempotencyKey.objects.update(prediction=None, created_at=now)
    response = post(api)
    assert (response.status_code, response.json()["code"]) == (409, "in_flight")
    assert response["Retry-After"] == "1"
    assert digest not in made.fingerprint


def test_a_day_later_the_key_is_free_again(api, serving):
    first = post(api).json()["id"]
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert post(api).json()["id"] != first


def test_a_request_that_is_refused_does_not_take_the_key(api, serving):
    assert post(api, top_k="0").status_code == 422
    assert not IdempotencyKey.objects.exists()
    assert post(api).status_code == 202


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "clé"])
def test_a_key_that_cannot_be_used_is_refused(api, serving, key):
    response = post(api, key)
    assert response.status_code == 422
    assert "1 to 255 visible ASCII characters" in response.json()["detail"]
    assert not Image.objects.exists()


@pytest.mark.parametrize("key", ["x", "~" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_any_visible_characters_are_a_key(api, serving, key):
    assert post(api, key).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_of_many_that_come_at_once_one_makes_it(user, serving):
    api = caller(user)
    responses = at_once(6, lambda _: post(api))
    made = {response.json()["id"] for response in responses if response.status_code == 202}
    assert len(made) == 1
    assert {response.status_code for response in responses} <= {202, 409}
    assert Prediction.objects.count() == 1
