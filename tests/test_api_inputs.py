"""Pictures and options come in many ways, and mean the same in each; slips are named."""

import base64
import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image as Pillow

from classifier.models import Batch, Image, Prediction, User
from tests.api import caller
from tests.factories import image_bytes

URL = "/api/v1/predictions/"


@pytest.fixture
def api(user: User) -> Client:
    return caller(user)


def picture(name: str = "cat.png", **options: object) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, image_bytes(**options), "image/png")


def not_a_picture(name: str = "notes.txt") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"no picture", "text/plain")


def in_base64(content: bytes = b"") -> str:
    return base64.b64encode(content or image_bytes()).decode()


def post_json(api: Client, body: object, query: str = ""):
    return api.post(URL + query, json.dumps(body), content_type="application/json")


def post_bytes(api: Client, content: bytes, query: str = "", kind: str = "image/png"):
    return api.post(URL + query, content, content_type=kind)


def stored() -> bytes:
    with Image.objects.get().file.open() as file:
        return file.read()


def faults(response, status: int = 422) -> dict[str, str]:
    """What is wrong, by place. Nothing may have been stored."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert not Image.objects.exists()
    found = response.json()["errors"]
    return {
        item.get("pointer", item.get("parameter")): f"{item['code']}: {item['detail']}"
        for item in found
    }


# --- The ways ------------------------------------------------------------------------------------


def test_the_plain_bytes_are_a_picture(api, serving):
    for kind in ("image/png", "image/jpeg", "application/octet-stream"):
        response = post_bytes(api, image_bytes(), "?filename=cat.png&top_k=2", kind)
        assert response.status_code == 202, response.json()
        assert response.json()["input"]["image"]["name"] == "cat.png"
    assert stored() == image_bytes()
    assert set(Prediction.objects.values_list("top_k", flat=True)) == {2}


@pytest.mark.parametrize(
    "text",
    [
        in_base64(),
        f"data:image/png;base64,{in_base64()}",
        in_base64().rstrip("="),
        base64.urlsafe_b64encode(image_bytes()).decode(),
        base64.encodebytes(image_bytes()).decode(),
    ],
)
def test_base64_is_a_picture_however_it_is_written(api, serving, text):
    response = post_json(api, {"image": text, "filename": "cat.png"})
    assert response.status_code == 202, response.json()
    assert response.json()["input"]["image"]["name"] == "cat.png"
    assert stored() == image_bytes()


def test_pixels_are_a_picture(api, serving):
    response = post_json(api, {"pixels": [[[255, 0, 0], [0, 0, 255]]]})
    assert response.status_code == 202, response.json()
    assert Pillow.open(io.BytesIO(stored())).getpixel((1, 0)) == (0, 0, 255)
    assert response.json()["input"]["image"]["format"] == "PNG"


def test_the_784_numbers_of_the_tutorials_are_a_picture(api, serving):
    image = post_json(api, {"x": [0.5] * 784}).json()["input"]["image"]
    assert (image["width"], image["height"]) == (28, 28)


def test_several_files_are_a_batch(api, serving):
    response = api.post(URL, {"image": [picture(), picture("b.png", colour="red")], "top_k": "2"})
    assert response.status_code == 202, response.json()
    batch = Batch.objects.get()
    assert response.json()["id"] == str(batch.id)
    assert list(batch.predictions.values_list("top_k", flat=True)) == [2, 2]


def test_images_in_json_are_a_batch_be_it_of_one(api, serving):
    response = post_json(api, {"images": [in_base64()]})
    assert response.status_code == 202
    assert [item["status"] for item in response.json()["items"]] == ["accepted"]


# --- Options -------------------------------------------------------------------------------------


def test_options_of_a_form_are_text_and_mean_the_same(api, serving):
    form = {
        "image": picture(),
        "top_k": "3",
        "threshold": "0.25",
        "priority": "low",
        "expires_in": "60",
        "metadata": '{"shelf": {"row": 7}}',
        "webhook": "https://example.com/hook",
        "webhook_events_filter": ["start", "completed"],
    }
    response = api.post(URL, form)
    assert response.status_code == 202, response.json()
    row = Prediction.objects.get()
    assert (row.top_k, row.threshold, row.priority) == (3, 0.25, -1)
    assert row.metadata == {"shelf": {"row": 7}}
    assert row.webhook_events == ["start", "completed"]
    assert row.expires_at is not None


def test_fields_of_our_form_that_nobody_has_filled_in_are_not_given(api, serving):
    form = {"image": picture(), "model": "", "top_k": "", "threshold": "", "metadata": ""}
    assert faults(api.post(URL, form)).keys() == {"/model", "/top_k", "/threshold", "/metadata"}
    form["image"] = picture()
    assert api.post(URL, {**form, "csrfmiddlewaretoken": "x"}).status_code == 202


def test_a_list_in_a_form_may_be_repeated_parted_by_commas_or_empty(api, serving):
    hook = {"webhook": "https://example.com/hook"}
    for texts, events in (
        (["start", "completed"], ["start", "completed"]),
        (["completed, start"], ["start", "completed"]),
        ([""], ["completed"]),
    ):
        form = {"image": picture(), "webhook_events_filter": texts, **hook}
        assert api.post(URL, form).status_code == 202
        assert Prediction.objects.first().webhook_events == events


def test_null_is_as_good_as_not_given(api, serving):
    body = {"pixels": [[1]], "top_k": None, "model": None, "metadata": None, "webhook": None}
    assert post_json(api, body).status_code == 202


def test_the_body_goes_before_the_address(api, serving):
    assert post_json(api, {"pixels": [[1]], "top_k": 2}, "?top_k=9&priority=low").status_code == 202
    row = Prediction.objects.get()
    assert (row.top_k, row.priority) == (2, -1)


@pytest.mark.parametrize(
    ("option", "good", "bad"),
    [
        ("model", ["everyday"], ["", 3, ["everyday"], "x" * 101, "a\u007f\u0001" * 40]),
        ("top_k", [1, 1000, 10_000, 5.0], [0, -1, 10_001, 1.5, True, "5", [5], 10**30]),
        ("threshold", [0, 1, 0.5], [-0.1, 1.01, "0.5", True, {}, 10**400]),
        ("priority", ["low", "normal", "high"], ["HIGH", "", 1, None.__class__.__name__]),
        ("expires_in", [1, 604_800], [0, 604_801, 1.5, "60", False]),
        (
            "webhook",
            ["https://example.com/hook?a=b"],
            ["", 7, "example.com", "http://127.0.0.1/", "https://localhost/", "ftp://a.example/"],
        ),
        (
            "webhook_events_filter",
            [["start"], ["completed", "start"]],
            [[], "start", ["begin"], [1], {"start": True}, ["start", None]],
        ),
        ("filename", ["a.png", "ü" * 255], ["", "x" * 256, 3]),
        (
            "metadata",
            [{}, {"a": [1, {"b": None}]}, {"n": -1.5e300}, {"k": "x" * 4000}],
            [[], "a", 3, {"k": "x" * 4096}, {"k": "ü" * 2048}],
        ),
    ],
)
def test_each_option_takes_what_makes_sense_and_nothing_else(api, serving, option, good, bad):
    for value in bad:
        response = post_json(api, {"pixels": [[1]], option: value})
        assert list(faults(response)) == [f"/{option}"], value
    for value in good:
        response = post_json(api, {"pixels": [[1]], option: value})
        assert response.status_code == 202, (value, response.json())


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("top_k=0", "top_k"),
        ("top_k=", "top_k"),
        ("top_k=5x", "top_k"),
        ("top_k=+5", "top_k"),
        ("top_k=٣", "top_k"),
        ("top_k=" + "9" * 5000, "top_k"),
        ("threshold=nan", "threshold"),
        ("threshold=1e-3", "threshold"),
        ("threshold=2", "threshold"),
        ("expires_in=1.5", "expires_in"),
        ("metadata=[1]", "metadata"),
        ("metadata={", "metadata"),
        ('metadata={"a":"%5Cu0000"}', "metadata"),
        ("filename=a%00b", "filename"),
        ("model=", "model"),
        ("webhook=nowhere", "webhook"),
        ("webhook_events_filter=begin", "webhook_events_filter"),
        ("image=x", "image"),
        ("topk=5", "topk"),
    ],
)
def test_options_of_the_address_are_as_strict(api, serving, query, name):
    assert list(faults(post_bytes(api, image_bytes(), f"?{query}"))) == [name]


@pytest.mark.parametrize(
    ("given", "meant"), [("topk", "top_k"), ("metdata", "metadata"), ("img", "image")]
)
def test_an_unknown_name_is_refused_with_what_was_probably_meant(api, serving, given, meant):
    in_json = faults(post_json(api, {"pixels": [[1]], given: 1}))
    assert f"Did you mean {meant}?" in in_json[f"/{given}"]
    in_form = faults(api.post(URL, {"image": picture(), given: "1"}))
    assert f"Did you mean {meant}?" in in_form[f"/{given}"]


def test_a_name_that_resembles_nothing_is_refused_with_all_that_are_known(api, serving):
    assert "Known are expires_in," in faults(post_json(api, {"pixels": [[1]], "~/§": 1}))["/~0~1§"]


def test_everything_that_is_wrong_is_told_at_once(api, serving):
    body = {"pixels": [[1]], "top_k": 0, "threshold": 2, "colour": "red"}
    response = post_json(api, body, "?priority=x")
    assert faults(response).keys() == {"/top_k", "/threshold", "/colour", "priority"}
    assert "3 more in errors." in response.json()["detail"]


@pytest.mark.parametrize(
    "text",
    [
        '{"pixels": [[1]], "metadata": {"a": "\\u0000"}}',
        '{"pixels": [[1]], "metadata": {"a": "\\ud800"}}',
        '{"pixels": [[1]], "metadata": {"a": NaN}}',
        '{"pixels": [[1]], "metadata": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"pixels": [[1]], "filename": "\\u0000"}',
        '{"pixels": [[1]]',
        "",
        "\ufeff",
    ],
)
def test_json_that_no_database_could_keep_is_malformed(api, serving, text):
    response = api.post(URL, text, content_type="application/json")
    assert response.status_code in {400, 422}, response.content
    assert not Image.objects.exists()


def test_metadata_that_a_database_could_not_keep_is_refused(api, serving):
    infinite = '{"pixels": [[1]], "metadata": {"a": 1e999}}'
    response = api.post(URL, infinite, content_type="application/json")
    assert "too large" in faults(response)["/metadata"]
    deep = {"a": 1}
    for _ in range(101):
        deep = {"a": deep}
    assert "too deeply" in faults(post_json(api, {"pixels": [[1]], "metadata": deep}))["/metadata"]


# --- Refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [{}, {"top_k": 1}, {"image": in_base64(), "x": [1]}, {"images": ["a"], "pixels": [[1]]}],
)
def test_json_has_exactly_one_way_of_giving_a_picture(api, serving, body):
    assert "Exactly one of image, images, pixels, x" in faults(post_json(api, body))[""]


@pytest.mark.parametrize("body", [[], "text", 7, None, True])
def test_json_that_is_no_object_is_refused(api, serving, body):
    assert "must be a JSON object" in faults(post_json(api, body))[""]


@pytest.mark.parametrize("images", [None, "text", {}, 3])
def test_images_must_be_a_list(api, serving, images):
    assert "list of texts" in faults(post_json(api, {"images": images}))["/images"]


def test_a_form_without_a_file_asks_for_one(api, serving):
    assert "part named image" in faults(api.post(URL, {"top_k": "1"}))["/image"]
    assert "part named image" in faults(api.post(URL, {"image": "text"}))["/image"]
    assert "at least one" in faults(post_json(api, {"images": []}))["/images"]
    assert "/file" in faults(api.post(URL, {"file": picture()}))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"image": in_base64(b"no picture")}, "unknown_format"),
        ({"image": "§"}, "invalid_base64"),
        ({"image": 7}, "invalid_base64"),
        ({"image": None}, "invalid_base64"),
        ({"image": ""}, "empty"),
        ({"image": in_base64(image_bytes()[:-40])}, "damaged"),
        ({"pixels": [[1], [2, 3]]}, "invalid_pixels"),
        ({"pixels": "text"}, "invalid_pixels"),
        ({"x": [1, 2]}, "invalid_pixels"),
        ({"x": [[1]]}, "invalid_pixels"),
    ],
)
def test_a_picture_that_is_none_is_refused_with_the_reason(api, serving, body, code):
    response = post_json(api, body)
    assert response.status_code == 422, response.content
    assert response.json()["code"] == "invalid_image"
    assert response.json()["errors"][0]["code"] == code
    assert not Image.objects.exists()


def test_a_single_file_that_is_no_picture_is_refused(api, serving):
    for response in (api.post(URL, {"image": not_a_picture()}), post_bytes(api, b"no picture")):
        assert response.status_code in {415, 422}
        assert response.json()["errors"][0]["code"] == "unknown_format"
    assert post_bytes(api, b"").status_code == 422


def test_a_picture_that_is_too_large_is_too_large_however_it_comes(api, serving, settings):
    settings.UPLOAD_MAX_BYTES = 50
    responses = [
        api.post(URL, {"image": picture()}),
        post_json(api, {"image": in_base64()}),
        post_bytes(api, image_bytes()),
        post_json(api, {"images": [in_base64()]}),
    ]
    for response in responses:
        assert (response.status_code, response.json()["code"]) == (413, "too_large")
        assert "50" in response.json()["detail"] + str(response.json()["errors"])


def test_too_many_pictures_at_once_are_refused_with_the_limit(api, serving, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2
    files = [picture(f"{i}.png") for i in range(3)]
    for response in (
        api.post(URL, {"image": files}),
        post_json(api, {"images": [in_base64()] * 3}),
    ):
        assert (response.status_code, response.json()["code"]) == (413, "too_many_files")
        assert "2" in response.json()["detail"]
    assert not Batch.objects.exists()


def test_of_several_one_that_is_refused_stops_no_other(api, serving):
    response = api.post(URL, {"image": [picture(), not_a_picture(), picture("c.png", colour=9)]})
    assert response.status_code == 202
    items = response.json()["items"]
    assert [item["status"] for item in items] == ["accepted", "refused", "accepted"]
    assert [item["name"] for item in items] == ["cat.png", "notes.txt", "c.png"]
    assert items[1]["error"]["code"] == "unknown_format"
    assert items[1]["prediction"] is None
    assert items[2]["prediction"]["batch"] == response.json()["id"]


def test_where_all_of_several_are_refused_there_is_no_batch(api, serving):
    response = api.post(URL, {"image": [not_a_picture(), not_a_picture("b.txt")]})
    assert faults(response).keys() == {"/image/0", "/image/1"}
    assert response.json()["code"] == "invalid_image"
    in_json = post_json(api, {"images": [in_base64(b"none"), 7]})
    assert faults(in_json).keys() == {"/images/0", "/images/1"}
    assert not Batch.objects.exists()


def test_a_wrong_option_stores_no_picture(api, serving):
    faults(api.post(URL, {"image": picture(), "top_k": "0"}))
    faults(api.post(URL, {"image": [picture(), picture("b.png")], "model": "none"}))


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "audio/ogg"])
def test_another_type_of_body_is_not_taken(api, serving, kind):
    response = api.post(URL, b"something", content_type=kind)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


def test_a_broken_form_is_malformed(api, serving):
    for kind in ("multipart/form-data", "multipart/form-data; boundary=é"):
        response = api.post(URL, b"--x\r\n", content_type=kind)
        assert (response.status_code, response.json()["code"]) == (400, "malformed")


def test_the_same_bytes_sent_twice_are_stored_once(api, serving):
    first, second = (api.post(URL, {"image": picture()}).json() for _ in range(2))
    assert first["id"] != second["id"]
    assert first["input"]["image"]["id"] == second["input"]["image"]["id"]
