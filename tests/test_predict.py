"""POST /predict: what the tutorials' clients send, and what they read."""

import base64
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image as Pillow

from classifier import waiting
from classifier.actions.tokens import issue
from classifier.models import Image, Prediction, Scope, Source, Status
from tests.api import caller
from tests.factories import SPEC, ModelVersionFactory, image_bytes
from tests.fake_worker import answering
from tests.test_oip import NoSeats


@pytest.fixture
def program(user):
    return caller(user, Scope.PREDICTIONS_WRITE)


@pytest.fixture
def answers(serving, broker):
    with answering([0.1, 0.7, 0.2]):
        yield


def send(program, body, url="/predict"):
    return program.post(url, json.dumps(body), content_type="application/json")


def photo(**options):
    return SimpleUploadedFile("cat.png", image_bytes(**options), "image/png")


def as_base64(**options):
    return base64.b64encode(image_bytes(**options)).decode()


def stored():
    with Image.objects.get().file.open() as file:
        return Pillow.open(file).convert("L")


def problem(response, status, code):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"]) == (status, code)
    return body


@pytest.mark.django_db(transaction=True)
class TestAnswer:
    @pytest.fixture(autouse=True)
    def _answers(self, answers):
        pass

    @pytest.mark.parametrize("field", ["file", "image"])
    def test_a_form_gets_an_answer_under_the_names_of_every_tutorial(self, program, user, field):
        response = program.post("/predict", {field: photo()})
        assert response.status_code == 200, response.content
        close = pytest.approx
        assert response.json() == {
            "class": "dog",
            "prediction": "dog",
            "confidence": close(0.7),
            "class_id": "1",
            "class_name": "dog",
            "probabilities": {"dog": close(0.7), "ship": close(0.2), "cat": close(0.1)},
            "predictions": [
                {"label": "dog", "probability": close(0.7)},
                {"label": "ship", "probability": close(0.2)},
                {"label": "cat", "probability": close(0.1)},
            ],
            "success": True,
        }
        assert list(response.json()["probabilities"]) == ["dog", "ship", "cat"], "best first"
        row = Prediction.objects.get()
        assert (row.owner, row.source, row.image.original_name) == (
            user,
            Source.PREDICT,
            "cat.png",
        )

    def test_the_bytes_of_an_image_will_do(self, program):
        response = program.post("/predict", image_bytes(), content_type="image/png")
        assert response.json()["class"] == "dog"

    @pytest.mark.parametrize("name", ["image", "file"])
    def test_an_image_in_base64_will_do(self, program, name):
        assert send(program, {name: as_base64()}).json()["class"] == "dog"

    def test_784_numbers_are_the_picture_that_they_are_in_the_tutorials(self, program):
        ramp = [value % 256 for value in range(784)]
        assert send(program, {"x": ramp}).status_code == 200
        assert stored().size == (28, 28)
        assert stored().tobytes() == bytes(ramp)

    @pytest.mark.parametrize("name", ["x", "image", "pixels"])
    @pytest.mark.parametrize(
        "wrapped",
        [
            lambda rows: rows,
            lambda rows: [rows],
            lambda rows: [[value for row in rows for value in row]],
            lambda rows: [[[[value] for value in row] for row in rows]],
        ],
        ids=["28×28", "1×28×28", "1×784", "1×28×28×1"],
    )
    def test_numbers_may_be_nested_and_a_batch_of_one(self, program, name, wrapped):
        rows = [[x / 27 for x in range(28)] for _ in range(28)]
        assert send(program, {name: wrapped(rows)}).status_code == 200
        assert stored().size == (28, 28)
        assert list(stored().tobytes()[:28]) == [round(x / 27 * 255) for x in range(28)]

    def test_another_model_can_be_asked_for(self, program):
        digits = ModelVersionFactory(name="digits", spec={**SPEC, "labels": ["0", "1", "2"]})
        response = program.post("/predict?model=digits", {"file": photo()})
        assert response.json()["class"] == "1"
        assert Prediction.objects.get().model_version == digits

    def test_a_person_may_with_their_session_and_its_csrf_token(self, signed_in):
        assert signed_in.post("/predict", {"file": photo()}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_classes_of_the_same_label_share_one_entry(program, serving, broker):
    serving.spec = {**SPEC, "labels": ["crane", "dog", "crane"]}
    serving.save()
    with answering([0.3, 0.45, 0.25]):
        body = program.post("/predict", {"file": photo()}).json()
    assert body["probabilities"] == {"crane": pytest.approx(0.55), "dog": pytest.approx(0.45)}
    assert (body["class"], body["class_id"]) == ("dog", "1"), "the class that is best by itself"


@pytest.mark.django_db
class TestRefusals:
    @pytest.fixture(autouse=True)
    def _nothing_is_left(self, serving):
        yield
        assert not Prediction.objects.exists()

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ([], "JSON object"),
            (7, "JSON object"),
            ({}, "none of them"),
            ({"y": [1]}, "none of them"),
            ({"x": None}, "none of them"),
            ({"x": [1], "image": "x"}, "x and image"),
            ({"x": 5}, "int"),
            ({"x": {}}, "dict"),
            ({"x": True}, "bool"),
            ({"x": []}, "0 values"),
            ({"x": [[]]}, "0 values"),
            ({"x": [1, 2, 3]}, "3 values"),
            ({"x": [1, 2, 3, "4"]}, "str"),
            ({"x": [1, 2, 3, None]}, "NoneType"),
            ({"x": [1, 2, 3, 256]}, "0 to 255"),
            ({"x": [1, 2, 3, -1]}, "0 to 255"),
            ({"x": [1, 2, 3, 10**400]}, "0 to 255"),
            ({"x": [[1, 2], [3]]}, "row 1"),
            ({"x": [[1, 2], 3]}, "row 1"),
            ({"x": [[[1, 2]], [[3, 4]]]}, "not 2"),
            ({"image": "not base64!"}, "base64"),
            ({"image": ""}, "empty"),
        ],
    )
    def test_what_is_wrong_with_json_is_named_with_its_place(self, program, body, reason):
        refusal = problem(send(program, body), 422, "invalid_request")
        assert reason in refusal["detail"]
        assert refusal["errors"][0]["pointer"] in {"", "/x", "/image"}

    @pytest.mark.parametrize("text", ["{", '{"x": [NaN]}', '{"x": ' + "[" * 50_000, "\0"])
    def test_what_is_not_json_is_malformed(self, program, text):
        response = program.post("/predict", text, content_type="application/json")
        problem(response, 400, "malformed")

    def test_an_infinite_number_is_no_pixel(self, program):
        response = program.post(
            "/predict", '{"x": [1e999, 0, 0, 0]}', content_type="application/json"
        )
        problem(response, 422, "invalid_request")

    @pytest.mark.parametrize("body", [{"image": "bm90IGFuIGltYWdl"}, {"x": [0] * 60 * 60}])
    def test_bytes_that_are_no_image_are_refused(self, program, body, settings):
        settings.UPLOAD_MAX_PIXELS = 100
        problem(send(program, body), 422, "invalid_image")

    @pytest.mark.parametrize(
        "files", [{}, {"photo": photo()}, {"file": photo(), "image": photo()}, {"file": "text"}]
    )
    def test_a_form_must_have_one_file(self, program, files):
        refusal = problem(program.post("/predict", files), 422, "invalid_request")
        assert "`file` or `image`" in refusal["detail"] or "there are 2" in refusal["detail"]

    def test_a_file_that_is_too_large_is_413(self, program, settings):
        settings.UPLOAD_MAX_BYTES = 50
        problem(program.post("/predict", {"file": photo()}), 413, "too_large")
        problem(send(program, {"image": as_base64()}), 413, "too_large")

    def test_a_model_that_is_not_there_is_named(self, program):
        refused = program.post("/predict?model=nobody%00", {"file": photo()})
        problem(refused, 422, "unknown_model")

    def test_only_post_is_taken(self, program):
        problem(program.get("/predict"), 405, "method_not_allowed")
        problem(program.put("/predict"), 405, "method_not_allowed")

    def test_a_stranger_is_told_to_sign_in(self, client):
        response = client.post("/predict", {"file": photo()})
        problem(response, 401, "not_authenticated")

    def test_a_token_in_the_address_is_no_token(self, client, user):
        _, secret = issue(user, "test", [Scope.PREDICTIONS_WRITE])
        problem(
            client.post(f"/predict?token={secret}", {"file": photo()}), 401, "not_authenticated"
        )

    def test_the_scope_for_writing_is_needed(self, user):
        reader = caller(user, Scope.PREDICTIONS_READ, Scope.MODELS_READ)
        problem(reader.post("/predict", {"file": photo()}), 403, "missing_scope")

    def test_a_page_elsewhere_may_not_use_the_session(self, user):
        elsewhere = Client(enforce_csrf_checks=True)
        elsewhere.force_login(user)
        problem(elsewhere.post("/predict", {"file": photo()}), 403, "csrf_failed")


@pytest.mark.django_db
def test_without_a_model_it_says_so(program):
    problem(program.post("/predict", {"file": photo()}), 503, "no_model")


@pytest.mark.django_db(transaction=True)
class TestNoAnswer:
    def test_who_finds_no_seat_is_told_when_to_come_back(self, program, serving, monkeypatch):
        monkeypatch.setattr(waiting, "_seats", lambda: NoSeats())
        response = program.post("/predict", {"file": photo()})
        problem(response, 503, "no_seat")
        assert int(response["Retry-After"]) >= 1
        assert not Image.objects.exists()

    def test_what_is_not_answered_in_time_is_withdrawn(self, program, serving, broker, settings):
        settings.ANSWER_SECONDS = 0.05
        problem(program.post("/predict", {"file": photo()}), 504, "out_of_time")
        assert Prediction.objects.get().status == Status.CANCELED

    def test_a_prediction_that_fails_says_why(self, program, serving, broker):
        with answering(failing="A picture of nothing."):
            refusal = problem(program.post("/predict", {"file": photo()}), 422, "prediction_failed")
        assert refusal["detail"] == "A picture of nothing."
        assert refusal["errors"][0]["code"] == "undecodable"


@pytest.mark.django_db
def test_a_disk_that_is_full_is_said(program, serving, full_disk):
    problem(program.post("/predict", {"file": photo()}), 507, "storage")
    assert not Prediction.objects.exists()
