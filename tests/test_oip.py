"""The Open Inference Protocol, as its specification and Triton's extensions of it say."""

import base64
import json
import struct
import tomllib
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from PIL import Image as Pillow

from classifier import waiting
from classifier.models import Image, Prediction, Scope, Source, Status
from tests.api import caller
from tests.factories import ModelVersionFactory, UserFactory, image_bytes
from tests.fake_worker import SCORES, answering

INFER = "/v2/models/everyday/infer"


@pytest.fixture
def program(user):
    return caller(user, Scope.MODELS_READ, Scope.PREDICTIONS_WRITE)


def base64_image(**options):
    return base64.b64encode(image_bytes(**options)).decode()


def images(*data, **members):
    return {"name": "image", "datatype": "BYTES", "shape": [len(data)], "data": data, **members}


def pixels(shape, data, **members):
    return {"name": "pixels", "datatype": "UINT8", "shape": shape, "data": data, **members}


def infer(program, *inputs, url=INFER, **members):
    body = {"inputs": inputs, **members}
    return program.post(url, json.dumps(body), content_type="application/json")


def infer_binary(program, body, *packed, length=None):
    header = json.dumps(body).encode()
    return program.post(
        INFER,
        b"".join([header, *packed]),
        content_type="application/octet-stream",
        headers={"Inference-Header-Content-Length": str(len(header) if length is None else length)},
    )


def error(response, status):
    """The reason of a refusal, which is all that its body has."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    body = response.json()
    assert body.keys() == {"error"}
    return body["error"]


def stored_pixels():
    with Image.objects.get().file.open() as file:
        picture = Pillow.open(file)
        return picture.mode, picture.size, picture.tobytes()


@pytest.mark.django_db
class TestMetadata:
    def test_a_probe_without_a_token_learns_that_the_server_lives(self, client):
        response = client.get("/v2/health/live")
        assert (response.status_code, response.json()) == (200, {"live": True})

    def test_a_probe_finds_both_keys_when_the_server_is_ready(self, client, broker):
        response = client.get("/v2/health/ready")
        assert (response.status_code, response.json()) == (200, {"live": True, "ready": True})
        assert "no-store" in response["Cache-Control"]

    @pytest.mark.parametrize("path", ["live", "ready"])
    def test_a_probe_that_speaks_plain_http_is_sent_nowhere_else(
        self, client, broker, settings, path
    ):
        settings.SECURE_SSL_REDIRECT = True
        assert client.get(f"/v2/health/{path}").status_code == 200
        assert client.get("/v2").status_code == 301

    def test_a_server_whose_broker_is_away_is_live_and_not_ready(self, client, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1"
        response = client.get("/v2/health/ready")
        assert (response.status_code, response.json()) == (503, {"live": True, "ready": False})
        assert client.get("/v2/health/live").status_code == 200

    @pytest.mark.parametrize("url", ["/v2", "/v2/"])
    def test_the_server_says_what_it_is_and_which_extensions_it_has(self, program, url):
        assert program.get(url).json() == {
            "name": "sightline",
            "version": tomllib.loads(Path(settings.BASE_DIR, "pyproject.toml").read_text())[
                "project"
            ]["version"],
            "extensions": ["classification", "binary_tensor_data"],
        }

    @pytest.mark.parametrize("version", ["", "/versions/3"])
    def test_a_model_says_what_goes_in_and_what_comes_out(self, program, version):
        for number in (3, 12):
            ModelVersionFactory(version=number)
        assert program.get(f"/v2/models/everyday{version}").json() == {
            "name": "everyday",
            "versions": ["3", "12"],
            "platform": "pytorch_safetensors",
            "inputs": [
                {"name": "image", "datatype": "BYTES", "shape": [-1]},
                {"name": "pixels", "datatype": "UINT8", "shape": [-1, -1, -1, 3]},
            ],
            "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}],
        }

    def test_a_model_is_ready_when_the_server_is(self, program, serving, broker, settings):
        url = f"/v2/models/everyday/versions/{serving.version}/ready"
        assert program.get(url).json() == {"name": "everyday", "ready": True}
        settings.REDIS_URL = "redis://127.0.0.1:1"
        response = program.get("/v2/models/everyday/ready")
        assert (response.status_code, response.json()["ready"]) == (503, False)

    @pytest.mark.parametrize("path", ["", "/ready"])
    @pytest.mark.parametrize(
        "name", ["nobody", "everyday/versions/99", "everyday/versions/x", "e" * 300]
    )
    def test_a_model_that_is_not_there_is_404(self, program, serving, name, path):
        assert "There is no model" in error(program.get(f"/v2/models/{name}{path}"), 404)

    @pytest.mark.parametrize("url", ["/v2/models/%00", "/v2/nothing", "/v2/models/everyday/config"])
    def test_an_address_that_is_not_the_protocols_is_404_in_its_own_form(self, program, url):
        assert error(program.get(url), 404)

    def test_a_method_that_is_not_the_protocols_is_405_in_its_own_form(self, program):
        assert "POST" in error(program.post("/v2"), 405)
        assert "GET" in error(program.get(INFER), 405)


@pytest.mark.django_db
class TestAccess:
    URLS = ["/v2", "/v2/models/everyday", "/v2/models/everyday/ready"]

    @pytest.mark.parametrize("url", URLS)
    def test_a_stranger_is_told_to_sign_in(self, client, serving, url):
        response = client.get(url)
        assert error(response, 401)
        assert response["WWW-Authenticate"].startswith("Bearer")

    def test_a_stranger_may_not_infer(self, client, serving):
        assert error(infer(client, images(base64_image())), 401)
        assert not Prediction.objects.exists()

    def test_a_token_that_is_wrong_opens_nothing(self, serving):
        wrong = Client(headers={"Authorization": "Bearer slt_wrong"})
        assert error(wrong.get("/v2"), 401)

    @pytest.mark.parametrize("url", URLS)
    def test_metadata_needs_the_scope_for_models(self, user, serving, url):
        writer = caller(user, Scope.PREDICTIONS_WRITE)
        assert "models:read" in error(writer.get(url), 403)

    def test_inference_needs_the_scope_for_writing(self, user, serving):
        reader = caller(user, Scope.MODELS_READ, Scope.PREDICTIONS_READ)
        assert "predictions:write" in error(infer(reader, images(base64_image())), 403)

    def test_too_many_requests_are_sent_away_for_a_while(self, program, serving, broker, settings):
        settings.API_RATE_PER_USER = 1
        responses = [program.get("/v2") for _ in range(3)]  # a minute may end among them
        refused = [response for response in responses if response.status_code == 429]
        assert refused
        assert error(refused[0], 429)
        assert int(refused[0]["Retry-After"]) >= 1


@pytest.mark.django_db(transaction=True)
class TestInference:
    @pytest.fixture(autouse=True)
    def _answers(self, serving, broker):
        with answering():
            yield

    @pytest.mark.parametrize("shape", [[2], [2, 1]])
    def test_images_get_the_probabilities_of_all_classes_in_the_order_of_the_labels(
        self, program, serving, user, shape
    ):
        data = [base64_image(colour="red"), base64_image(colour="blue")]
        response = infer(program, images(*data, shape=shape), id="42")
        assert response.status_code == 200, response.content
        body = response.json()
        (output,) = body.pop("outputs")
        assert body == {
            "id": "42",
            "model_name": "everyday",
            "model_version": str(serving.version),
        }
        assert output.pop("data") == pytest.approx([*SCORES, *SCORES])
        assert output == {"name": "probabilities", "datatype": "FP32", "shape": [2, 3]}
        for row in Prediction.objects.all():
            assert (row.owner, row.source, row.status) == (user, Source.OIP, Status.SUCCEEDED)

    def test_an_answer_without_an_id_has_none(self, program):
        assert "id" not in infer(program, images(base64_image())).json()

    def test_data_may_be_nested_as_its_shape_says(self, program):
        data = [[base64_image(colour="red")], [base64_image(colour="blue")]]
        response = infer(program, images(*data, shape=[2, 1]))
        assert response.json()["outputs"][0]["shape"] == [2, 3]

    def test_the_version_in_the_address_answers(self, program, serving):
        old = ModelVersionFactory(version=77)
        response = infer(
            program, images(base64_image()), url="/v2/models/everyday/versions/77/infer"
        )
        assert response.json()["model_version"] == "77"
        assert Prediction.objects.get().model_version == old

    @pytest.mark.parametrize(
        ("shape", "mode", "size"),
        [
            ([2, 3], "L", (3, 2)),
            ([1, 2, 4], "L", (4, 2)),
            ([2, 2, 3], "RGB", (2, 2)),
            ([1, 2, 2, 3], "RGB", (2, 2)),
            ([1, 2, 3, 1], "L", (3, 2)),
        ],
    )
    def test_pixels_become_an_image_of_the_very_same_values(self, program, shape, mode, size):
        values = list(range(200, 200 + size[0] * size[1] * len(mode)))
        assert infer(program, pixels(shape, values)).status_code == 200
        assert stored_pixels() == (mode, size, bytes(values))

    def test_pixels_may_be_nested_too(self, program):
        assert infer(program, pixels([2, 2], [[0, 1], [0, 1]])).status_code == 200
        assert stored_pixels() == ("L", (2, 2), bytes([0, 1, 0, 1])), "1 is nearly black"

    def test_several_pictures_of_pixels_get_a_row_each(self, program):
        response = infer(program, pixels([3, 2, 2], list(range(12))))
        assert response.json()["outputs"][0]["shape"] == [3, 3]
        assert Prediction.objects.count() == 3

    @pytest.mark.parametrize("count", [2, 3, 1000])
    def test_classification_answers_with_the_best_classes_as_triton_writes_them(
        self, program, count
    ):
        wanted = [{"name": "probabilities", "parameters": {"classification": count}}]
        response = infer(program, images(base64_image()), outputs=wanted)
        best = ["0.700000:1:dog", "0.200000:2:ship", "0.100000:0:cat"][:count]
        assert response.json()["outputs"] == [
            {"name": "probabilities", "datatype": "BYTES", "shape": [1, len(best)], "data": best}
        ]

    def test_tensors_may_come_and_go_as_bytes(self, program):
        files = [image_bytes(colour="red"), image_bytes(colour="blue")]
        packed = [struct.pack("<I", len(file)) + file for file in files]
        size = sum(map(len, packed))
        body = {
            "inputs": [
                {
                    "name": "image",
                    "datatype": "BYTES",
                    "shape": [2],
                    "parameters": {"binary_data_size": size},
                }
            ],
            "parameters": {"binary_data_output": True},
        }
        response = infer_binary(program, body, *packed)
        assert response.status_code == 200, response.content
        assert response["Content-Type"] == "application/octet-stream"
        length = int(response["Inference-Header-Content-Length"])
        (output,) = json.loads(response.content[:length])["outputs"]
        assert output == {
            "name": "probabilities",
            "datatype": "FP32",
            "shape": [2, 3],
            "parameters": {"binary_data_size": 24},
        }
        assert response.content[length:] == struct.pack("<6f", *SCORES, *SCORES)

    def test_pixels_may_come_as_bytes_and_classes_go_as_bytes(self, program):
        tensor = pixels([2, 2], None, parameters={"binary_data_size": 4})
        wanted = [
            {"name": "probabilities", "parameters": {"classification": 1, "binary_data": True}}
        ]
        response = infer_binary(
            program, {"inputs": [tensor], "outputs": wanted}, bytes([9, 8, 7, 6])
        )
        length = int(response["Inference-Header-Content-Length"])
        assert response.content[length:] == struct.pack("<I", 14) + b"0.700000:1:dog"
        assert stored_pixels() == ("L", (2, 2), bytes([9, 8, 7, 6]))

    def test_base64_is_understood_as_bytes_too(self, program):
        text = base64_image().encode()
        packed = struct.pack("<I", len(text)) + text
        tensor = images(parameters={"binary_data_size": len(packed)}, shape=[1], data=None)
        assert infer_binary(program, {"inputs": [tensor]}, packed).status_code == 200

    def test_an_output_may_ask_for_json_where_the_request_asks_for_bytes(self, program):
        response = infer(
            program,
            images(base64_image()),
            parameters={"binary_data_output": True},
            outputs=[{"name": "probabilities", "parameters": {"binary_data": False}}],
        )
        assert response.json()["outputs"][0]["data"] == pytest.approx(list(SCORES))

    def test_parameters_that_nobody_knows_are_nobodys_business(self, program):
        tensor = images(base64_image(), parameters={"content_type": "base64"})
        assert infer(program, tensor, parameters={"priority": 1}, x=[]).status_code == 200


@pytest.mark.django_db
class TestRefusals:
    @pytest.fixture(autouse=True)
    def _model(self, serving):
        yield
        assert not Prediction.objects.exists(), "what is refused leaves nothing"

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "empty"),
            (b"{", "not JSON"),
            (b"\xff\xfe", "UTF-8"),
            (b"[1]", "object"),
            (b'{"inputs": [{"name": "image", "shape": [NaN]}]}', "NaN"),
            (b'{"x": ' + b"[" * 100_000, "deep"),
            (b'{"x": ' + b"9" * 5000 + b"}", "not JSON"),
            (b'{"id": "\\u0000", "inputs": []}', "NUL"),
            (b'{"id": "\\ud800", "inputs": []}', "surrogate"),
        ],
    )
    def test_a_body_that_is_not_json_is_refused_with_the_reason(self, program, content, reason):
        response = program.post(INFER, content, content_type="application/json")
        assert reason in error(response, 400)

    @pytest.mark.parametrize(
        ("members", "reason"),
        [
            ({"inputs": None}, "no inputs"),
            ({"inputs": {}}, "array of objects"),
            ({"inputs": [3]}, "array of objects"),
            ({"inputs": [{}]}, "name"),
            ({"inputs": [images("x"), images("x")]}, "Exactly one"),
            ({"inputs": [images("x", name="photo")]}, "'photo'"),
            ({"inputs": [images("x", name="ph\u00f6to\n")]}, "Exactly one"),
            ({"inputs": [images("x", name=7)]}, "name must be a string"),
            ({"inputs": [images("x", datatype="FP32")]}, "'FP32'"),
            ({"inputs": [images("x", datatype=None)]}, "datatype must be a string"),
            ({"inputs": [images("x", parameters=3)]}, "parameters"),
            ({"inputs": [images("x", data="x")]}, "data must be an array"),
            ({"inputs": [images("x", data=None)]}, "data must be an array"),
            ({"inputs": [images("x", shape=None)]}, "shape"),
            ({"inputs": [images("x", shape=[])]}, "shape"),
            ({"inputs": [images("x", shape=[0])]}, "shape"),
            ({"inputs": [images("x", shape=[-1])]}, "shape"),
            ({"inputs": [images("x", shape=[True])]}, "shape"),
            ({"inputs": [images("x", shape=[1.0])]}, "shape"),
            ({"inputs": [images("x", shape=[10**400])]}, "shape"),
            ({"inputs": [images("x", shape=[2])]}, "does not fit 1"),
            ({"inputs": [images("x", shape=[1, 2])]}, "[n, 1]"),
            ({"inputs": [images("x", shape=[1, 1, 1, 1, 1])]}, "shape"),
            ({"inputs": [images(["x"], "y", shape=[2, 1])]}, "not nested"),
            ({"inputs": [images(["x"], shape=[1])]}, "base64"),
            ({"inputs": [images("x", parameters={"binary_data_size": 3})]}, "binary_data_size"),
            ({"inputs": [images("x", parameters={"binary_data_size": 0})]}, "data in the JSON and"),
            ({"inputs": [images("x", parameters={"binary_data_size": -1})]}, "binary_data_size"),
            ({"inputs": [images("x", parameters={"binary_data_size": "1"})]}, "binary_data_size"),
            ({"inputs": [images(3)]}, "base64"),
            ({"inputs": [images(None)]}, "base64"),
            ({"inputs": [images("not base64!")]}, "image 0: The text is not base64"),
            ({"inputs": [images("")]}, "empty"),
            ({"inputs": [images(base64_image(), "bm90IGFuIGltYWdl")]}, "image 1: This is not an"),
            ({"inputs": [pixels([2, 2], [1, 2, 3])]}, "does not fit 3"),
            ({"inputs": [pixels([2, 2], [1, 2, 3, 256])]}, "from 0 to 255"),
            ({"inputs": [pixels([2, 2], [1, 2, 3, -1])]}, "from 0 to 255"),
            ({"inputs": [pixels([2, 2], [1, 2, 3, 10**300])]}, "from 0 to 255"),
            ({"inputs": [pixels([2, 2], [1, 2, 3, 4.5])]}, "whole numbers"),
            ({"inputs": [pixels([2, 2], [1, 2, 3, True])]}, "whole numbers"),
            ({"inputs": [pixels([2, 2], [1, 2, 3, "4"])]}, "whole numbers"),
            ({"inputs": [pixels([2, 2], [[1, 2], [3]])]}, "not nested"),
            ({"inputs": [pixels([2, 2], [[1, 2]])]}, "does not fit 2"),
            ({"inputs": [pixels([2, 2], [[1, 2], 3])]}, "not nested"),
            ({"inputs": [pixels([2, 2], [[[[1]]]])]}, "not nested"),
            ({"inputs": [pixels([2, 2], [])]}, "does not fit 0"),
            ({"inputs": [pixels([4], [1, 2, 3, 4])]}, "[h, w]"),
            ({"inputs": [pixels([1, 1, 2, 2], [1, 2, 3, 4])]}, "[n, h, w, 3]"),
            ({"inputs": [pixels([2**30] * 4, [1])]}, "[n, h, w, 3]"),
            ({"inputs": [pixels([1, 2**30, 2**30, 3], [1])]}, "does not fit 1"),
            ({"inputs": [pixels([1, 2000], [7] * 2000)]}, "2000"),
            ({"id": 7}, "id must be a string"),
            ({"id": []}, "id must be a string"),
            ({"parameters": []}, "parameters"),
            ({"parameters": {"binary_data_output": 1}}, "true or false"),
            ({"outputs": 5}, "array of objects"),
            ({"outputs": [{"name": "logits"}]}, "'logits'"),
            ({"outputs": [{}]}, "None"),
            ({"outputs": [{"name": "probabilities"}] * 2}, "more than once"),
            ({"outputs": [{"name": "probabilities", "parameters": 1}]}, "parameters"),
            (
                {"outputs": [{"name": "probabilities", "parameters": {"classification": -1}}]},
                "classification",
            ),
            (
                {"outputs": [{"name": "probabilities", "parameters": {"classification": "1"}}]},
                "classification",
            ),
            (
                {"outputs": [{"name": "probabilities", "parameters": {"binary_data": None}}]},
                "true or false",
            ),
        ],
    )
    def test_what_is_wrong_with_a_request_is_named(self, program, members, reason):
        body = {"inputs": [images(base64_image())], **members}
        response = program.post(INFER, json.dumps(body), content_type="application/json")
        assert reason in error(response, 400)

    @pytest.mark.parametrize("packed", [b"\1", b"\1\0\0", b"\2\0\0\0x", b"\xff\xff\xff\xff", b""])
    def test_bytes_that_end_too_early_are_refused(self, program, packed):
        tensor = images(shape=[1], data=None, parameters={"binary_data_size": len(packed)})
        assert error(infer_binary(program, {"inputs": [tensor]}, packed), 400)

    def test_bytes_that_belong_to_nobody_are_refused(self, program):
        response = infer_binary(program, {"inputs": [images(base64_image())]}, b"more")
        assert "4 bytes behind" in error(response, 400)

    @pytest.mark.parametrize("length", ["x", "-1", "99999", "9" * 5000, "1.5", ""])
    def test_a_length_that_cannot_be_is_refused(self, program, length):
        response = infer_binary(program, {"inputs": []}, length=length)
        assert "Inference-Header-Content-Length" in error(response, 400)

    def test_an_image_that_is_too_large_is_413(self, program, settings):
        settings.UPLOAD_MAX_BYTES = 100
        assert "image 0" in error(infer(program, images(base64_image())), 413)

    def test_too_many_images_are_413(self, program, settings):
        settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2
        assert "3 images" in error(infer(program, images("", "", "")), 413)
        assert "4 images" in error(infer(program, pixels([4, 1, 1], [1, 2, 3, 4])), 413)

    def test_a_body_that_is_too_large_is_not_even_read(self, program, settings):
        settings.API_MAX_BODY_BYTES = 100
        assert "at most 100" in error(infer(program, images("x" * 100)), 413)

    def test_a_body_in_chunks_has_no_length_that_could_be_trusted(self, program):
        response = program.post(
            INFER, b"{}", content_type="application/json", headers={"Transfer-Encoding": "chunked"}
        )
        assert "Content-Length" in error(response, 411)

    def test_a_body_that_is_packed_is_refused(self, program):
        response = program.post(
            INFER, b"{}", content_type="application/json", headers={"Content-Encoding": "gzip"}
        )
        assert "gzip" in error(response, 415)


@pytest.mark.django_db(transaction=True)
class TestNoAnswer:
    def test_nobody_is_made_to_wait_where_all_seats_are_taken(
        self, program, serving, broker, monkeypatch
    ):
        monkeypatch.setattr(waiting, "_seats", lambda: NoSeats())
        response = infer(program, images(base64_image()))
        assert error(response, 503)
        assert int(response["Retry-After"]) >= 1
        assert not Image.objects.exists(), "nothing is stored for whom it sends away"

    def test_what_is_not_answered_in_time_is_withdrawn(self, program, serving, broker, settings):
        settings.ANSWER_SECONDS = 0.05
        assert "in time" in error(infer(program, images(base64_image())), 504)
        assert Prediction.objects.get().status == Status.CANCELED

    def test_a_prediction_that_fails_says_why(self, program, serving, broker):
        with answering(failing="It is a picture of nothing."):
            reason = error(infer(program, images(base64_image())), 400)
        assert "Image 0" in reason
        assert "a picture of nothing" in reason

    @pytest.mark.parametrize(
        "kind", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]
    )
    def test_a_person_may_infer_with_their_session_and_its_csrf_token(
        self, user, serving, broker, kind
    ):
        person = Client(headers={"X-CSRFToken": "t" * 32}, enforce_csrf_checks=True)
        person.force_login(user)
        person.cookies["csrftoken"] = "t" * 32
        body = json.dumps({"inputs": [images(base64_image())]})
        with answering():
            response = person.generic("POST", INFER, body, content_type=kind)
        assert response.status_code == 200, response.content

    def test_a_page_elsewhere_may_not_use_the_session(self, serving):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(UserFactory())
        assert error(infer(strict, images(base64_image())), 403)


class NoSeats:
    """A waiting room that is full."""

    def acquire(self, blocking: bool) -> bool:
        return False


@pytest.mark.django_db
def test_a_disk_that_is_full_is_said(program, serving, full_disk):
    assert "could not store" in error(infer(program, images(base64_image())), 507)
    assert not Prediction.objects.exists()
