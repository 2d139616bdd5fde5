"""Predictions through the REST API: made, shown, canceled, run again, reviewed, deleted."""

import json
from datetime import timedelta

import jsonschema
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from classifier.models import Image, Prediction, Scope, User
from classifier.queries import queue
from tests.api import caller
from tests.factories import ModelVersionFactory, PredictionFactory, image_bytes

URL = "/api/v1/predictions/"


@pytest.fixture
def api(user: User) -> Client:
    return caller(user)


def picture(name: str = "cat.png", **options: object) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, image_bytes(**options), "image/png")


def own(user: User, **options: object) -> Prediction:
    return PredictionFactory(image__owner=user, **options)


def url_of(prediction: Prediction, verb: str = "prediction") -> str:
    return reverse(f"api:{verb}", args=[prediction.id])


def post_json(api: Client, url: str, body: object, **headers: str):
    return api.post(url, json.dumps(body), content_type="application/json", headers=headers)


# --- Made ----------------------------------------------------------------------------------------


def test_a_picture_in_a_form_is_accepted_and_queued(api, serving, user):
    response = api.post(URL, {"image": picture()})
    assert response.status_code == 202, response.json()
    body, prediction = response.json(), Prediction.objects.get()
    assert response["Location"] == body["urls"]["get"] == f"http://testserver{url_of(prediction)}"
    assert (prediction.owner, prediction.source, body["source"]) == (user, "api", "api")
    assert body["id"] == str(prediction.id)
    assert body["status"] == "queued"
    assert (body["model"], body["version"]) == ("everyday", serving.version)
    assert body["output"] is body["error"] is body["completed_at"] is body["batch"] is None
    assert body["input"]["image"] == {
        "id": str(prediction.image.id),
        "name": "cat.png",
        "format": "PNG",
        "width": 64,
        "height": 48,
        "bytes": prediction.image.bytes,
        "sha256": prediction.image.sha256,
    }
    assert body["queue"] == {"position": 1, "eta_seconds": None}
    assert (response["Retry-After"], "Preference-Applied" in response) == ("1", False)


def test_the_options_are_kept_and_shown(api, serving):
    before = timezone.now()
    options = {
        "top_k": 2,
        "threshold": 0.25,
        "priority": "high",
        "expires_in": 60,
        "metadata": {"shelf": "B7", "deep": [{"π": 1.5}, None]},
        "filename": "from a camera.png",
        "webhook": "https://example.com/hook",
        "webhook_events_filter": ["start"],
    }
    response = post_json(api, URL, {"pixels": [[0, 255]], **options})
    assert response.status_code == 202, response.json()
    body, row = response.json(), Prediction.objects.get()
    assert (row.top_k, row.threshold, row.priority) == (2, 0.25, 1)
    assert (row.webhook_url, row.webhook_events) == ("https://example.com/hook", ["start"])
    assert (
        before + timedelta(seconds=60) <= row.expires_at <= timezone.now() + timedelta(seconds=60)
    )
    assert (body["priority"], body["metadata"]) == ("high", options["metadata"])
    assert body["expires_at"] == row.expires_at.isoformat(timespec="microseconds")[:-6] + "Z"
    assert body["input"]["image"]["name"] == "from a camera.png"


def test_a_model_is_named_with_or_without_its_version(api, serving):
    other = ModelVersionFactory(name="resnet50", version=3)
    for reference in ("resnet50", "resnet50@3"):
        body = post_json(api, URL, {"pixels": [[1]], "model": reference}).json()
        assert (body["model"], body["version"]) == ("resnet50", 3)
    assert Prediction.objects.filter(model_version=other).count() == 2
    assert post_json(api, URL, {"pixels": [[1]], "model": "champion"}).json()["model"] == "everyday"


def test_an_unknown_model_is_refused_with_those_that_there_are(api, serving):
    ModelVersionFactory(name="resnet50")
    for reference in ("resnet5", "resnet50@77", "resnet50@x", "x" * 100, "9" * 90 + "@1"):
        response = post_json(api, URL, {"pixels": [[1]], "model": reference})
        body = response.json()
        assert (response.status_code, body["code"]) == (422, "unknown_model")
        assert body["errors"][0]["pointer"] == "/model"
        assert "Installed are everyday, resnet50." in body["detail"]
    assert (
        "Did you mean resnet50?"
        in post_json(api, URL, {"pixels": [[1]], "model": "resnet"}).json()["detail"]
    )
    assert not Image.objects.exists()


def test_where_no_model_serves_that_is_said(api):
    response = api.post(URL, {"image": picture()})
    assert (response.status_code, response.json()["code"]) == (503, "no_model")


def test_an_upload_costs_few_queries(api, serving, django_assert_max_num_queries):
    api.post(URL, {"image": picture()})
    # token, model, known image, savepoint, image, release, prediction, place; three in the test
    # stand for BEGIN and COMMIT.
    with django_assert_max_num_queries(10):
        assert api.post(URL, {"image": picture(colour="red")}).status_code == 202


def test_a_disk_that_is_full_is_a_problem_of_ours_and_leaves_nothing(
    api, serving, full_disk, monkeypatch
):
    response = api.post(URL, {"image": picture()}, headers={"Idempotency-Key": "k"})
    assert (response.status_code, response.json()["code"]) == (507, "storage")
    assert "space" not in response.content.decode()
    assert not Image.objects.exists()
    monkeypatch.undo()
    again = api.post(URL, {"image": picture()}, headers={"Idempotency-Key": "k"})
    assert again.status_code == 202


def test_a_session_of_the_pages_works_too(signed_in, serving):
    assert signed_in.post(URL, {"image": picture()}).status_code == 202


# --- Shown ---------------------------------------------------------------------------------------


def schema_of(name: str) -> dict[str, object]:
    document = SchemaGenerator().get_schema(request=None, public=True)
    return {"$ref": f"#/components/schemas/{name}", "components": document["components"]}


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "failed", "canceled"])
def test_a_prediction_looks_as_the_schema_says_in_every_state(api, user, serving, state):
    traits = {} if state in {"queued", "running"} else {state: True}
    row = own(user, model_version=serving, **traits)
    if state == "running":
        now, lease = timezone.now(), "00000000-0000-7000-8000-000000000000"
        Prediction.objects.update(status=state, lease=lease, started_at=now, error_detail="again")
    body = api.get(url_of(row)).json()
    jsonschema.validate(body, schema_of("Prediction"), format_checker=jsonschema.FormatChecker())
    assert body["status"] == state
    assert (
        body.keys()
        == schema_of("Prediction")["components"]["schemas"]["Prediction"]["properties"].keys()
    )
    assert (body["output"] is not None) == (state == "succeeded")
    assert (body["error"] is not None) == (state == "failed")
    assert (body["queue"] is not None) == (state == "queued")
    assert (body["metrics"]["total_time"] is None) == (state in {"queued", "running"})


def test_the_output_has_as_many_labels_as_were_asked_for_and_none_below_the_threshold(
    api, user, serving
):
    row = own(user, succeeded=True, model_version=serving)
    assert [item["label"] for item in api.get(url_of(row)).json()["output"]] == [
        "cat",
        "dog",
        "ship",
    ]
    Prediction.objects.update(top_k=2, threshold=0.5)
    assert api.get(url_of(row)).json()["output"] == [{"label": "cat", "score": 0.9}]


def test_the_place_in_the_queue_counts_who_comes_first(api, user, serving):
    first, second = (own(user, model_version=serving) for _ in range(2))
    urgent = own(user, model_version=serving, priority=1)
    done = own(user, model_version=serving, succeeded=True)
    Prediction.objects.filter(id=done.id).update(
        started_at=timezone.now(), completed_at=timezone.now() + timedelta(seconds=2)
    )
    places = [api.get(url_of(row)).json()["queue"]["position"] for row in (urgent, first, second)]
    assert places == [1, 2, 3]
    assert api.get(url_of(second)).json()["queue"]["eta_seconds"] == pytest.approx(6, abs=0.1)
    listed = {item["id"]: item["queue"] for item in api.get(URL).json()["results"]}
    assert listed[str(second.id)]["position"] == 3
    assert listed[str(done.id)] is None


def test_retry_after_follows_the_queue(api, user, serving):
    done = own(user, model_version=serving, succeeded=True)
    now = timezone.now()
    Prediction.objects.filter(id=done.id).update(
        started_at=now, completed_at=now + timedelta(seconds=2.3)
    )
    own(user, model_version=serving)
    assert api.post(URL, {"image": picture()})["Retry-After"] == "5"


def test_who_is_far_back_has_no_place(api, user, serving, monkeypatch):
    monkeypatch.setattr(queue, "COUNTED_PLACES", 2)
    rows = [own(user, model_version=serving) for _ in range(3)]
    places = [api.get(url_of(row)).json()["queue"]["position"] for row in rows]
    assert places == [1, 2, None]
    listed = [item["queue"]["position"] for item in api.get(URL).json()["results"]]
    assert listed == [None, 2, 1]


def test_an_ended_prediction_has_an_etag_and_is_not_sent_twice(api, user, serving):
    row = own(user, model_version=serving, succeeded=True)
    response = api.get(url_of(row))
    etag = response["ETag"]
    assert response["Cache-Control"] == "private, no-cache"
    for known in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        again = api.get(url_of(row), headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b""), known
        assert again["ETag"] == etag
    assert api.get(url_of(row), headers={"If-None-Match": '"other"'}).status_code == 200
    Prediction.objects.update(top_k=1)
    assert api.get(url_of(row), headers={"If-None-Match": etag}).status_code == 200


def test_a_pending_prediction_has_no_etag(api, user, serving):
    row = own(user, model_version=serving)
    response = api.get(url_of(row), headers={"If-None-Match": "*"})
    assert response.status_code == 200
    assert "ETag" not in response


def test_what_is_somebody_elses_is_not_there(api, serving):
    row = PredictionFactory(model_version=serving, succeeded=True)
    for verb in ("prediction", "prediction_image"):
        assert api.get(url_of(row, verb)).status_code == 404
    for verb in ("cancel", "rerun"):
        assert api.post(url_of(row, verb)).status_code == 404
    assert api.delete(url_of(row)).status_code == 404
    assert api.get(URL).json()["results"] == []
    assert Prediction.objects.filter(id=row.id).exists()


def test_staff_see_their_own_here_too(staff, serving):
    row = PredictionFactory(model_version=serving, succeeded=True)
    assert caller(staff).get(url_of(row)).status_code == 404


def test_a_token_needs_the_scope(user, serving):
    row = own(user, model_version=serving)
    reader = caller(user, Scope.PREDICTIONS_READ)
    writer = caller(user, Scope.PREDICTIONS_WRITE)
    assert reader.get(url_of(row)).status_code == 200
    assert reader.post(URL, {"image": picture()}).status_code == 403
    assert reader.delete(url_of(row)).status_code == 403
    assert writer.get(url_of(row)).status_code == 403
    assert writer.post(url_of(row, "cancel")).status_code == 200


# --- The picture ---------------------------------------------------------------------------------


def test_the_picture_is_sent_without_what_the_camera_wrote(api, serving):
    from PIL import Image as Pillow

    exif = Pillow.Exif()
    exif[0x010E] = "taken at home"
    sent = image_bytes("JPEG", (2000, 100), exif=exif)
    created = api.post(URL, {"image": SimpleUploadedFile("a.jpg", sent, "image/jpeg")}).json()
    response = api.get(created["urls"]["image"])
    assert (response.status_code, response["Content-Type"]) == (200, "image/webp")
    assert response.content[:4] == b"RIFF"
    assert b"taken at home" not in response.content
    small = api.get(created["urls"]["image"] + "?size=thumbnail")
    assert len(small.content) < len(response.content)
    assert small["ETag"] != response["ETag"]
    again = api.get(created["urls"]["image"], headers={"If-None-Match": response["ETag"]})
    assert again.status_code == 304
    assert response["Cache-Control"].startswith("private")


def test_the_picture_is_sent_to_whoever_prefers_another_format(api, serving):
    created = api.post(URL, {"image": picture()}).json()
    for accept in ("application/json", "image/webp", "image/*", "*/*"):
        response = api.get(created["urls"]["image"], headers={"Accept": accept})
        assert (response.status_code, response["Content-Type"]) == (200, "image/webp")


def test_an_unknown_size_is_refused(api, serving):
    created = api.post(URL, {"image": picture()}).json()
    response = api.get(created["urls"]["image"] + "?size=huge")
    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == "size"


# --- Canceled, run again, reviewed, deleted ------------------------------------------------------


def test_canceling_twice_is_no_error(api, user, serving):
    row = own(user, model_version=serving)
    for _ in range(2):
        response = api.post(url_of(row, "cancel"))
        assert (response.status_code, response.json()["status"]) == (200, "canceled")


@pytest.mark.parametrize("trait", ["succeeded", "failed"])
def test_what_has_ended_is_too_late_to_cancel(api, user, serving, trait):
    row = own(user, model_version=serving, **{trait: True})
    response = api.post(url_of(row, "cancel"))
    assert (response.status_code, response.json()["code"]) == (409, "too_late")
    assert trait in response.json()["detail"]
    assert Prediction.objects.get().status == trait


def test_deleting_takes_the_prediction_and_its_picture(api, serving):
    created = api.post(URL, {"image": picture()}).json()
    response = api.delete(created["urls"]["get"])
    assert (response.status_code, response.content) == (204, b"")
    assert api.get(created["urls"]["get"]).status_code == 404
    assert api.delete(created["urls"]["get"]).status_code == 404
    assert not Image.objects.exists()


def test_a_rerun_is_another_prediction_of_the_same_picture(api, user, serving):
    first = own(user, model_version=serving, succeeded=True, metadata={"a": 1}, top_k=3)
    other = ModelVersionFactory(name="resnet50")
    response = post_json(api, url_of(first, "rerun"), {"model": "resnet50", "top_k": 7})
    body = response.json()
    assert response.status_code == 202, body
    assert body["id"] != str(first.id)
    assert body["input"]["image"]["id"] == str(first.image.id)
    assert (body["model"], body["metadata"]) == ("resnet50", {})
    second = Prediction.objects.get(id=body["id"])
    assert (second.model_version, second.top_k, second.source) == (other, 7, "api")
    assert response["Location"] == body["urls"]["get"]


def test_a_rerun_needs_no_body(api, user, serving):
    row = own(user, succeeded=True)
    body = api.generic("POST", url_of(row, "rerun")).json()
    assert (body["model"], body["version"]) == ("everyday", serving.version)
    with_empty_form = api.post(
        url_of(row, "rerun"), "", content_type="application/x-www-form-urlencoded"
    )
    assert with_empty_form.status_code == 202


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"top_k": 0}, "/top_k"), ({"image": "x"}, "/image"), ({"filename": "x"}, "/filename")],
)
def test_a_rerun_with_what_makes_no_sense_is_refused(api, user, serving, body, pointer):
    row = own(user, succeeded=True)
    response = post_json(api, url_of(row, "rerun"), body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer
    assert post_json(api, url_of(row, "rerun"), [1]).status_code == 422
    assert Prediction.objects.count() == 1


def test_staff_review_anybodys_prediction(staff, answered):
    api = caller(staff)
    confirmed = post_json(api, url_of(answered, "review"), {"confirm": True})
    assert confirmed.status_code == 200
    body = confirmed.json()
    assert (body["verdict"], body["label"], body["reviewer"]) == ("confirmed", "cat", "grace")
    jsonschema.validate(body, schema_of("Review"))
    corrected = post_json(api, url_of(answered, "review"), {"label": "dog"}).json()
    assert (corrected["verdict"], corrected["label"]) == ("corrected", "dog")
    assert answered.review.label == "dog"


@pytest.mark.parametrize(
    "body",
    [{}, {"confirm": False}, {"label": ""}, {"label": 3}, {"label": "cat", "confirm": True}, []],
)
def test_a_review_that_says_nothing_is_refused(staff, answered, body):
    response = post_json(caller(staff), url_of(answered, "review"), body)
    assert response.status_code == 422


def test_a_review_by_a_label_that_the_model_does_not_know_says_which_is_close(staff, answered):
    response = post_json(caller(staff), url_of(answered, "review"), {"label": "ships"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/label"
    assert "Did you mean ship?" in response.json()["detail"]
    unknown = post_json(caller(staff), url_of(answered, "review"), {"lable": "ship"})
    assert "Did you mean label?" in unknown.json()["detail"]


def test_a_review_of_what_has_no_answer_is_refused(staff, serving):
    row = PredictionFactory(model_version=serving)
    response = post_json(caller(staff), url_of(row, "review"), {"confirm": True})
    assert (response.status_code, response.json()["code"]) == (409, "not_answered")


def test_others_than_staff_review_nothing(user, answered):
    response = post_json(caller(user, *Scope), url_of(answered, "review"), {"confirm": True})
    assert (response.status_code, response.json()["code"]) == (403, "staff_only")
    answered.refresh_from_db()
    assert not hasattr(answered, "review")
