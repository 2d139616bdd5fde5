"""`Prefer`: who wants to wait is woken by the end of the prediction, and never waits for ever."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from classifier import waiting
from classifier.actions.cancel import cancel_one
from classifier.actions.claim import claim
from classifier.actions.delete import delete_prediction
from classifier.actions.settle import Outcome, settle
from classifier.api.preferences import Preference, parse_prefer
from classifier.models import Prediction, User
from tests.api import caller
from tests.factories import PredictionFactory, image_bytes

URL = "/api/v1/predictions/"


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("", Preference()),
        ("wait", Preference(60, "wait=60")),
        ("wait=5", Preference(5, "wait=5")),
        ("WAIT = 5", Preference(5, "wait=5")),
        ('wait="5"', Preference(5, "wait=5")),
        ("wait=0", Preference(1, "wait=1")),
        ("wait=-3", Preference(1, "wait=1")),
        ("wait=61", Preference(60, "wait=60")),
        ("wait=" + "9" * 5000, Preference(60, "wait=60")),
        ("wait=five", Preference()),
        ("wait=5.5", Preference()),
        ("wait=5s", Preference()),
        ("wait=5, wait=9", Preference(5, "wait=5")),
        ("respond-async", Preference(None, "respond-async")),
        ("Respond-Async", Preference(None, "respond-async")),
        ("respond-async, wait=10", Preference(10, "wait=10")),
        ("return=minimal, wait=7; strict", Preference(7, "wait=7")),
        ('foo="a, wait=9", wait=2', Preference(2, "wait=2")),
        ("handling=lenient", Preference()),
        ("waiting", Preference()),
        ("await=5", Preference()),
        (", ,wait=3,", Preference(3, "wait=3")),
        ("§§§", Preference()),
    ],
)
def test_the_header_is_read_as_the_standard_has_it(header, meant):
    assert parse_prefer(header) == meant


@pytest.fixture
def api(transactional_db: None, broker: object, user: User) -> Client:
    return caller(user)


def picture(colour: str = "teal") -> SimpleUploadedFile:
    return SimpleUploadedFile("cat.png", image_bytes(colour=colour), "image/png")


def work(expected: int = 1, pause: float = 0.0) -> None:
    """Be the worker that answers so many predictions, as they come."""
    done = 0
    deadline = time.monotonic() + 20
    while done < expected and time.monotonic() < deadline:
        if claimed := claim(8):
            time.sleep(pause)
            output = [{"label": "cat", "score": 0.9}, {"label": "dog", "score": 0.1}]
            outcomes = [Outcome(row.id, output) for row in claimed.predictions]
            done += settle(claimed.lease, outcomes, 0.01, len(outcomes))
        time.sleep(0.02)


def in_background(do, *arguments):
    """Run with a database connection of its own, which is closed at the end."""

    def run():
        try:
            return do(*arguments)
        finally:
            connection.close()

    pool = ThreadPoolExecutor(1)
    future = pool.submit(run)
    pool.shutdown(wait=False)
    return future


def test_one_who_waits_gets_the_answer(api, serving):
    worker = in_background(work, 1, 0.3)
    begun = time.monotonic()
    response = api.post(URL, {"image": picture()}, headers={"Prefer": "wait"})
    worker.result()
    assert response.status_code == 201, response.json()
    assert response["Preference-Applied"] == "wait=60"
    assert "Retry-After" not in response
    assert time.monotonic() - begun < 10
    body = response.json()
    assert (body["status"], body["output"][0]["label"]) == ("succeeded", "cat")
    assert response["Location"] == body["urls"]["get"]
    assert body["metrics"]["queue_time"] <= body["metrics"]["total_time"]


def test_one_whose_patience_ends_gets_what_there_is(api, serving):
    response = api.post(URL, {"image": picture()}, headers={"Prefer": "wait=1"})
    assert response.status_code == 202
    assert response["Preference-Applied"] == "wait=1"
    assert int(response["Retry-After"]) >= 1
    assert response.json()["status"] == "queued"


def test_one_who_does_not_want_to_wait_does_not(api, serving):
    begun = time.monotonic()
    response = api.post(URL, {"image": picture()}, headers={"Prefer": "respond-async"})
    assert (response.status_code, response["Preference-Applied"]) == (202, "respond-async")
    assert time.monotonic() - begun < 1


def test_where_every_seat_is_taken_the_answer_comes_at_once(api, serving, monkeypatch):
    monkeypatch.setattr(waiting, "_seats", lambda: threading.BoundedSemaphore(1))
    seats = threading.BoundedSemaphore(1)
    monkeypatch.setattr(waiting, "_seats", lambda: seats)
    seats.acquire()
    begun = time.monotonic()
    response = api.post(URL, {"image": picture()}, headers={"Prefer": "wait"})
    assert response.status_code == 202
    assert response["Retry-After"] == "1"
    assert "Preference-Applied" not in response
    assert time.monotonic() - begun < 1


def test_a_batch_is_waited_for_to_its_last_picture(api, serving):
    worker = in_background(work, 2)
    files = [picture(), SimpleUploadedFile("a.txt", b"none"), picture("red")]
    response = api.post(URL, {"image": files}, headers={"Prefer": "wait"})
    worker.result()
    assert response.status_code == 201, response.json()
    body = response.json()
    assert body["progress"] == 1
    shown = [item["prediction"] and item["prediction"]["status"] for item in body["items"]]
    assert shown == ["succeeded", None, "succeeded"]
    assert response["Location"] == body["urls"]["get"]


def test_one_can_wait_for_what_was_sent_before(api, user, serving):
    row = PredictionFactory(image__owner=user, model_version=serving)
    worker = in_background(work, 1, 0.2)
    response = api.get(f"{URL}{row.id}/", headers={"Prefer": "wait=20"})
    worker.result()
    assert (response.status_code, response.json()["status"]) == (200, "succeeded")
    assert response["Preference-Applied"] == "wait=20"
    assert "ETag" in response


def test_one_who_waits_for_what_has_ended_is_answered_at_once(api, user, serving):
    row = PredictionFactory(image__owner=user, model_version=serving, succeeded=True)
    begun = time.monotonic()
    assert api.get(f"{URL}{row.id}/", headers={"Prefer": "wait"}).status_code == 200
    assert time.monotonic() - begun < 1


def test_a_cancellation_wakes_whoever_waits(api, user, serving):
    row = PredictionFactory(image__owner=user, model_version=serving)
    later(0.3, lambda: cancel_one(row))
    begun = time.monotonic()
    response = api.get(f"{URL}{row.id}/", headers={"Prefer": "wait"})
    assert response.json()["status"] == "canceled"
    assert time.monotonic() - begun < 10


def test_a_deletion_wakes_whoever_waits(api, serving):
    def delete_first():
        while not (row := Prediction.objects.first()):
            time.sleep(0.05)
        time.sleep(0.3)
        delete_prediction(row)

    deletion = in_background(delete_first)
    begun = time.monotonic()
    response = api.post(URL, {"image": picture()}, headers={"Prefer": "wait"})
    deletion.result()
    assert response.status_code == 404
    assert time.monotonic() - begun < 10


def test_a_rerun_can_be_waited_for(api, user, serving):
    row = PredictionFactory(image__owner=user, model_version=serving, succeeded=True)
    worker = in_background(work)
    response = api.post(
        f"{URL}{row.id}/rerun/", {}, content_type="application/json", headers={"Prefer": "wait=20"}
    )
    worker.result()
    assert response.status_code == 201
    assert uuid.UUID(response.json()["id"]) != row.id


def later(seconds, do):
    def run():
        time.sleep(seconds)
        do()

    in_background(run)
