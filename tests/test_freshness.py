"""`Cache-Control: no-cache`: whoever sends it gets an answer of their own, at every door."""

import json
from base64 import b64encode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from classifier.actions.submit import Order, submit
from classifier.freshness import asks_anew
from classifier.images import verify
from classifier.models import Prediction, Status
from tests.api import caller
from tests.factories import image_bytes
from tests.fake_worker import answer_waiting, answering

PICTURE = image_bytes()


def over_rest(program, **headers):
    photo = SimpleUploadedFile("cat.png", PICTURE, "image/png")
    return program.post("/api/v1/predictions/?top_k=2", {"image": photo}, headers=headers)


def over_predict(program, **headers):
    photo = SimpleUploadedFile("cat.png", PICTURE, "image/png")
    return program.post("/predict", {"image": photo}, headers=headers)


def over_hugging_face(program, **headers):
    url = f"/api/v1/models/{Prediction.objects.get().model_version.name}/"
    return program.post(url, PICTURE, content_type="image/png", headers=headers)


def over_protocol(program, **headers):
    url = f"/v2/models/{Prediction.objects.get().model_version.name}/infer"
    data = [b64encode(PICTURE).decode()]
    image = {"name": "image", "datatype": "BYTES", "shape": [1], "data": data}
    body = json.dumps({"inputs": [image]})
    return program.post(url, body, content_type="application/json", headers=headers)


DOORS = [over_rest, over_predict, over_hugging_face, over_protocol]


@pytest.mark.parametrize(
    ("header", "means"),
    [
        ("no-cache", True),
        (" No-Cache ", True),
        ("max-age=0, no-cache", True),
        ("", False),
        ("max-age=0", False),
        ("no-cached", False),
    ],
)
def test_one_directive_is_known(header, means):
    assert asks_anew(header) is means


@pytest.fixture
def earlier(transactional_db, broker, user, serving):
    """An answer that the same image had from the same model."""
    order = Order(user, serving, keeps_probabilities=True)
    prediction = submit(order, verify(PICTURE), "cat.png")
    answer_waiting(variant=serving.computed_by)
    return prediction


@pytest.fixture
def program(user):
    return caller(user)


@pytest.mark.parametrize("send", DOORS)
def test_an_image_that_was_answered_is_answered_at_once(program, earlier, send):
    assert send(program).status_code in {200, 201}
    assert Prediction.objects.exclude(id=earlier.id).get().cached


@pytest.mark.parametrize("send", DOORS)
def test_whoever_wants_it_anew_has_it_classified_again(program, earlier, send):
    with answering():
        headers = {"Cache-Control": "no-cache", "Prefer": "wait"}
        assert send(program, **headers).status_code in {200, 201}
    again = Prediction.objects.exclude(id=earlier.id).get()
    assert (again.status, again.cached) == (Status.SUCCEEDED, False)


def test_the_metrics_say_which_it_was_and_what_computed_it(program, earlier):
    metrics = over_rest(program).json()["metrics"]
    assert (metrics["cached"], metrics["variant"]) == (True, earlier.model_version.computed_by)
    assert metrics["engine"] == earlier.model_version.computed_by.split()[0]


def test_what_is_not_computed_yet_names_the_engine_of_its_model(program, earlier):
    metrics = over_rest(program, **{"Cache-Control": "no-cache"}).json()["metrics"]
    assert (metrics["cached"], metrics["variant"]) == (False, None)
    assert metrics["engine"] == earlier.model_version.engine
