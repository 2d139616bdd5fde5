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


@pytest.mark.parametrize("name", ["cancel", "rerun", "delete"])
def test_other_peoples_predictions_cannot_be_touched(signed_in: Client, name: str) -> None:
    prediction = PredictionFactory()
    assert signed_in.post(url(name, prediction)).status_code == 404
    assert Prediction.objects.get().status == Status.QUEUED


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


def test_the_result_names_the_model_and_what_computed_it(signed_in: Client, user: User) -> None:
    prediction = PredictionFactory(image__owner=user, succeeded=True, variant="onnxruntime int8")
    version = prediction.model_version
    page = signed_in.get(url("prediction", prediction)).content.decode()
    assert reverse("model", args=[version.name, version.version]) in page
    assert "onnxruntime int8" in page


@pytest.fixture
def recalled(user: User) -> Prediction:
    """A prediction that was answered from an earlier one."""
    made = {"cached": True, "started_at": None, "inference_seconds": None, "batch_size": None}
    return PredictionFactory(image__owner=user, succeeded=True, **made)


def test_an_answer_from_before_says_so_and_shows_no_times(
    signed_in: Client, recalled: Prediction
) -> None:
    page = signed_in.get(url("prediction", recalled)).content.decode()
    assert "Answered at once: this picture was classified before." in page
    for name in ("Waited", "Inference", "In all"):
        assert f"<dt>{name}</dt>" not in page


def test_the_card_of_an_answer_from_before_says_so(signed_in: Client, recalled: Prediction) -> None:
    PredictionFactory(image__owner=recalled.owner, succeeded=True)
    page = signed_in.get(reverse("history")).content.decode()
    assert page.count("Answered at once: classified before") == 1


def test_a_picture_is_classified_again_by_the_same_model(
    signed_in: Client, recalled: Prediction
) -> None:
    assert "Classify again" in signed_in.get(url("prediction", recalled)).content.decode()
    response = signed_in.post(url("rerun", recalled))
    again = Prediction.objects.exclude(id=recalled.id).get()
    assert response.url == url("prediction", again)
    assert (again.image, again.model_version) == (recalled.image, recalled.model_version)
    assert (again.status, again.cached) == (Status.QUEUED, False), "no earlier answer will do"


def test_what_is_pending_is_not_offered_again(signed_in: Client, user: User) -> None:
    prediction = PredictionFactory(image__owner=user)
    assert "Classify again" not in signed_in.get(url("prediction", prediction)).content.decode()


def test_classifying_again_needs_a_post(signed_in: Client, recalled: Prediction) -> None:
    assert signed_in.get(url("rerun", recalled)).status_code == 405
