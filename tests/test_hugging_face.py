"""A model's address takes what Hugging Face's clients send, and answers what they read."""

import base64
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from classifier import waiting
from classifier.models import Prediction, Scope, Source, Status
from tests.api import caller
from tests.factories import ModelVersionFactory, image_bytes
from tests.fake_worker import answering
from tests.test_oip import NoSeats
from tests.test_predict import problem

URL = "/api/v1/models/everyday/"
ANSWER = [
    {"label": "dog", "score": 0.7},
    {"label": "ship", "score": 0.2},
    {"label": "cat", "score": 0.1},
]


@pytest.fixture
def program(user):
    return caller(user, Scope.PREDICTIONS_WRITE)


@pytest.fixture
def answers(serving, broker):
    with answering([0.1, 0.7, 0.2]):
        yield


def person_with_csrf_token(user):
    """Signed in, as a script in a page of ours would call."""
    token = "t" * 32
    person = Client(headers={"X-CSRFToken": token}, enforce_csrf_checks=True)
    person.force_login(user)
    person.cookies["csrftoken"] = token
    return person


def as_base64(**options):
    return base64.b64encode(image_bytes(**options)).decode()


def send(program, body, url=URL):
    return program.post(url, json.dumps(body), content_type="application/json")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("answers")
class TestAnswer:
    @pytest.mark.parametrize(
        "content_type",
        ["image/png", "application/octet-stream", "application/x-www-form-urlencoded", "what"],
    )
    def test_the_bytes_of_an_image_get_a_bare_list(self, program, user, content_type):
        response = program.post(URL, image_bytes(), content_type=content_type)
        assert response.status_code == 200, response.content
        assert response.json() == ANSWER
        row = Prediction.objects.get()
        assert (row.owner, row.source) == (user, Source.API)

    def test_a_form_with_one_file_will_do(self, program):
        file = SimpleUploadedFile("cat.png", image_bytes(), "image/png")
        assert program.post(URL, {"file": file}).json() == ANSWER

    @pytest.mark.parametrize("content_type", ["image/png", "application/x-www-form-urlencoded"])
    def test_a_person_may_with_their_session_and_its_csrf_token(self, user, content_type):
        person = person_with_csrf_token(user)
        response = person.post(URL, image_bytes(), content_type=content_type)
        assert response.status_code == 200, response.content

    def test_bytes_without_a_content_type_do_too(self, program):
        assert program.post(URL, image_bytes(), content_type="").json() == ANSWER

    @pytest.mark.parametrize(
        ("parameters", "labels"),
        [
            (None, 3),
            ({}, 3),
            ({"top_k": None}, 3),
            ({"top_k": 1}, 1),
            ({"top_k": 2, "function_to_apply": "softmax"}, 2),
            ({"top_k": 10**30}, 3),
        ],
    )
    def test_json_may_say_how_many_labels_it_wants(self, program, parameters, labels):
        body = {"inputs": as_base64(), "parameters": parameters}
        assert send(program, body).json() == ANSWER[:labels]

    def test_json_without_parameters_and_with_more_than_we_know_is_fine(self, program):
        body = {"inputs": as_base64(), "options": {"wait_for_model": True}}
        assert send(program, body).json() == ANSWER

    def test_the_version_in_the_address_answers(self, program):
        old = ModelVersionFactory(version=77)
        response = program.post(f"{URL}versions/77/", image_bytes(), content_type="image/png")
        assert response.json() == ANSWER
        assert Prediction.objects.get().model_version == old


@pytest.mark.django_db
class TestRefusals:
    @pytest.fixture(autouse=True)
    def _nothing_is_left(self, serving):
        yield
        assert not Prediction.objects.exists()

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ([], ""),
            ("text", ""),
            ({}, "/inputs"),
            ({"inputs": 7}, "/inputs"),
            ({"inputs": None}, "/inputs"),
            ({"inputs": "https://example.org/cat.jpg"}, "/inputs"),
            ({"inputs": as_base64(), "parameters": []}, "/parameters"),
            ({"inputs": as_base64(), "parameters": {"top_k": 0}}, "/parameters/top_k"),
            ({"inputs": as_base64(), "parameters": {"top_k": True}}, "/parameters/top_k"),
            ({"inputs": as_base64(), "parameters": {"top_k": 1.5}}, "/parameters/top_k"),
            ({"inputs": as_base64(), "parameters": {"top_k": "3"}}, "/parameters/top_k"),
            ({"inputs": as_base64(), "parameters": {"top_k": []}}, "/parameters/top_k"),
            (
                {"inputs": as_base64(), "parameters": {"function_to_apply": "sigmoid"}},
                "/parameters/function_to_apply",
            ),
            (
                {"inputs": as_base64(), "parameters": {"function_to_apply": {}}},
                "/parameters/function_to_apply",
            ),
        ],
    )
    def test_what_is_wrong_is_named_with_its_place(self, program, body, pointer):
        refusal = problem(send(program, body), 422, "invalid_request")
        assert refusal["errors"][0]["pointer"] == pointer

    def test_base64_of_something_else_is_no_image(self, program):
        problem(send(program, {"inputs": "bm90IGFuIGltYWdl"}), 422, "invalid_image")

    def test_bytes_of_something_else_are_no_format_that_is_taken(self, program):
        response = program.post(URL, b"not an image", content_type="image/png")
        problem(response, 415, "unsupported_media_type")

    def test_bytes_that_are_too_many_are_not_even_read(self, program, settings):
        settings.UPLOAD_MAX_BYTES = 50
        response = program.post(URL, image_bytes(), content_type="image/png")
        problem(response, 413, "too_large")
        problem(send(program, {"inputs": as_base64()}), 413, "too_large")

    @pytest.mark.parametrize("address", ["nobody/", "everyday/versions/99/"])
    def test_a_model_that_is_not_there_is_404(self, program, address):
        response = program.post(
            f"/api/v1/models/{address}", image_bytes(), content_type="image/png"
        )
        problem(response, 404, "not_found")

    def test_a_form_needs_one_file(self, program):
        refusal = problem(program.post(URL, {"inputs": "text"}), 422, "invalid_request")
        assert "there are 0" in refusal["detail"]

    def test_a_file_in_a_form_may_be_too_large_too(self, program, settings):
        settings.UPLOAD_MAX_BYTES = 50
        file = SimpleUploadedFile("cat.png", image_bytes(), "image/png")
        problem(program.post(URL, {"file": file}), 413, "too_large")

    def test_a_page_elsewhere_may_not_use_the_session(self, user):
        elsewhere = Client(enforce_csrf_checks=True)
        elsewhere.force_login(user)
        problem(elsewhere.post(URL, image_bytes(), content_type="image/png"), 403, "csrf_failed")

    def test_the_scope_for_writing_is_needed_to_classify_and_not_to_look(self, user):
        reader = caller(user, Scope.MODELS_READ)
        response = reader.post(URL, image_bytes(), content_type="image/png")
        problem(response, 403, "missing_scope")
        assert reader.get(URL).status_code == 200

    def test_a_stranger_is_told_to_sign_in(self, client):
        response = client.post(URL, image_bytes(), content_type="image/png")
        problem(response, 401, "not_authenticated")


@pytest.mark.django_db(transaction=True)
class TestSpecialCases:
    def test_who_finds_no_seat_is_told_when_to_come_back(self, program, serving, monkeypatch):
        monkeypatch.setattr(waiting, "_seats", lambda: NoSeats())
        response = program.post(URL, image_bytes(), content_type="image/png")
        problem(response, 503, "no_seat")
        assert int(response["Retry-After"]) >= 1

    def test_what_is_not_answered_in_time_is_withdrawn(self, program, serving, broker, settings):
        settings.ANSWER_SECONDS = 0.05
        response = program.post(URL, image_bytes(), content_type="image/png")
        problem(response, 504, "out_of_time")
        assert Prediction.objects.get().status == Status.CANCELED

    def test_only_five_labels_come_where_nobody_asks_for_more(self, program, serving, broker):
        serving.spec = {**serving.spec, "labels": list("abcdefg")}
        serving.save()
        scores = [0.1, 0.2, 0.3, 0.15, 0.12, 0.08, 0.05]
        with answering(scores):
            few = program.post(URL, image_bytes(), content_type="image/png").json()
            all_of_them = send(program, {"inputs": as_base64(), "parameters": {"top_k": 7}}).json()
        assert [item["label"] for item in few] == ["c", "b", "d", "e", "a"]
        assert len(all_of_them) == 7


@pytest.mark.django_db
def test_a_disk_that_is_full_is_said(program, serving, full_disk):
    problem(send(program, {"inputs": as_base64()}), 507, "storage")
    assert not Prediction.objects.exists()
