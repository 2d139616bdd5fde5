"""One prediction's page, and what can be done there."""

import uuid

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from classifier.actions.review import review
from classifier.models import Image, Prediction, Status, User
from tests.factories import PredictionFactory


def url(name: str, prediction: Prediction) -> str:
    return reverse(name, args=[prediction.id])


def test_the_result_shows_the_answer_and_how_it_came_about(signed_in: Client, user: User) -> None:
    prediction = PredictionFactory(image__owner=user, succeeded=True, batch_size=4)
    page = signed_in.get(url("prediction", prediction)).content.decode()
    for shown in (
        "cat",
        "90.0\N{NO-BREAK SPACE}%",
        "ship",
        "2.0\N{NO-BREAK SPACE}%",
        str(prediction.model_version),
        "12\N{NO-BREAK SPACE}ms",
        "for a batch of 4",
        prediction.image.original_name,
        "PNG · 64 × 48",
        f'<rect width="{0.08}"',
    ):
        assert shown in page


def test_a_verdict_is_shown_with_the_answer(
    signed_in: Client, user: User, staff: User, serving
) -> None:
    prediction = PredictionFactory(image__owner=user, succeeded=True)
    review(prediction, staff, "dog")
    page = signed_in.get(url("prediction", prediction)).content.decode()
    assert "Corrected by a person: dog" in page


def test_a_failure_says_why(signed_in: Client, user: User) -> None:
    prediction = PredictionFactory(image__owner=user, failed=True)
    page = signed_in.get(url("prediction", prediction)).content.decode()
    assert "Every worker that took it stopped." in page


@pytest.mark.parametrize("name", ["prediction", "delete"])
def test_other_peoples_predictions_are_not_there(client: Client, staff: User, name: str) -> None:
    client.force_login(staff)
    assert client.get(url(name, PredictionFactory())).status_code == 404


@pytest.mark.parametrize("name", ["cancel", "delete"])
def test_other_peoples_predictions_cannot_be_touched(signed_in: Client, name: str) -> None:
    prediction = PredictionFactory()
    assert signed_in.post(url(name, prediction)).status_code == 404
    prediction.refresh_from_db()
    assert prediction.status == Status.QUEUED


def test_a_waiting_prediction_can_be_canceled(signed_in: Client, user: User) -> None:
    prediction = PredictionFactory(image__owner=user)
    assert "Cancel" in signed_in.get(url("prediction", prediction)).content.decode()
    response = signed_in.post(url("cancel", prediction), follow=True)
    prediction.refresh_from_db()
    assert prediction.status == Status.CANCELED
    assert "withdrawn before a worker began" in response.content.decode()


def test_what_a_worker_has_begun_cannot_be_canceled(signed_in: Client, user: User) -> None:
    prediction = PredictionFactory(image__owner=user, status=Status.RUNNING, lease=uuid.uuid4())
    assert url("cancel", prediction) not in signed_in.get(reverse("history")).content.decode()
    response = signed_in.post(url("cancel", prediction), follow=True)
    prediction.refresh_from_db()
    assert prediction.status == Status.RUNNING
    assert "Too late to cancel" in response.content.decode()


def test_canceling_on_a_live_page_wakes_it(signed_in: Client, user: User) -> None:
    prediction = PredictionFactory(image__owner=user)
    response = signed_in.post(url("cancel", prediction), headers={"HX-Request": "true"})
    assert response.status_code == 204
    assert "wake" in response["HX-Trigger"]


def test_canceling_and_deleting_need_a_post(signed_in: Client, user: User) -> None:
    prediction = PredictionFactory(image__owner=user)
    assert signed_in.get(url("cancel", prediction)).status_code == 405
    assert "Delete this picture?" in signed_in.get(url("delete", prediction)).content.decode()
    assert Prediction.objects.exists()


def test_deleting_removes_row_file_and_thumbnail(
    signed_in: Client, user: User, django_capture_on_commit_callbacks
) -> None:
    prediction = PredictionFactory(image__owner=user, succeeded=True)
    image = prediction.image
    signed_in.get(reverse("image", args=[image.id, "thumbnail"]))
    names = [image.file.name, image.rendition_name("thumbnail")]
    assert all(default_storage.exists(name) for name in names)
    with django_capture_on_commit_callbacks(execute=True):
        response = signed_in.post(url("delete", prediction), follow=True)
    assert f"{image.original_name} was deleted." in response.content.decode()
    assert not Prediction.objects.exists()
    assert not Image.objects.exists()
    assert not any(default_storage.exists(name) for name in names)
