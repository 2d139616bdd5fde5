"""Pictures come in through the page, each accepted or refused by itself."""

import pytest
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier.actions.promote import activate
from classifier.models import Image, ModelVersion, Prediction, Status, User
from classifier.web.uploads import BoundedUploadHandler
from tests.factories import ModelVersionFactory, PredictionFactory, image_bytes

URL = "/"
FROM_SCRIPT = {"HX-Request": "true"}


def picture(name: str = "cat.png", **options: object) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, image_bytes(**options), "image/png")


def text_file(name: str = "notes.txt") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"no picture", "text/plain")


def test_one_picture_sent_by_the_form_leads_to_its_result(
    signed_in: Client, serving: ModelVersion, user: User
) -> None:
    response = signed_in.post(URL, {"image": picture()})
    prediction = Prediction.objects.get()
    assert prediction.owner == user
    assert prediction.status == Status.QUEUED
    assert prediction.model_version == serving
    assert prediction.image.original_name == "cat.png"
    assert response.status_code == 302
    assert response.url == reverse("prediction", args=[prediction.id])


def test_a_refused_file_says_why_and_the_others_go_on(
    signed_in: Client, serving: ModelVersion
) -> None:
    files = [picture("a.png"), text_file(), picture("b.png", colour="red")]
    response = signed_in.post(URL, {"image": files}, follow=True)
    assert response.redirect_chain == [(reverse("history"), 302)]
    said = [str(message) for message in response.context["messages"]]
    assert any(message.startswith("notes.txt: This is not an image") for message in said)
    assert "2 pictures accepted." in said
    assert Prediction.objects.count() == 2


def test_where_every_file_is_refused_the_page_lists_them_again(
    signed_in: Client, serving: ModelVersion
) -> None:
    response = signed_in.post(URL, {"image": [text_file("a.txt"), text_file("b.txt")]})
    assert response.status_code == 422
    assert b"a.txt" in response.content
    assert b"b.txt" in response.content
    assert not Image.objects.exists()


def test_sending_no_file_asks_for_one(signed_in: Client, serving: ModelVersion) -> None:
    response = signed_in.post(URL)
    assert response.status_code == 422
    assert b"Choose at least one picture." in response.content


def test_the_script_gets_a_card_for_an_accepted_file(
    signed_in: Client, serving: ModelVersion
) -> None:
    response = signed_in.post(URL, {"image": picture()}, headers=FROM_SCRIPT)
    assert response.status_code == 201
    prediction = Prediction.objects.get()
    html = response.content.decode()
    assert f'id="prediction-{prediction.id}"' in html
    assert f'name="seen" value="{prediction.id}.queued.1"' in html
    assert "<html" not in html
    assert "HX-Request" in response["Vary"]


def test_the_script_gets_the_reason_for_a_refused_file(
    signed_in: Client, serving: ModelVersion
) -> None:
    response = signed_in.post(URL, {"image": text_file()}, headers=FROM_SCRIPT)
    assert response.status_code == 422
    assert b"data-refused" in response.content
    assert b"This is not an image in a known format" in response.content


def test_a_file_that_is_too_large_is_refused_before_it_is_read(
    signed_in: Client, serving: ModelVersion, settings, monkeypatch
) -> None:
    settings.UPLOAD_MAX_BYTES = 50
    monkeypatch.setattr(
        "classifier.web.views.upload.verify", lambda content: pytest.fail("it was read")
    )
    response = signed_in.post(URL, {"image": picture()}, headers=FROM_SCRIPT)
    assert response.status_code == 413
    assert b"at most 50\xc2\xa0bytes" in response.content


def test_a_picture_goes_through_the_model_that_was_chosen(
    signed_in: Client, serving: ModelVersion
) -> None:
    other = ModelVersionFactory(name="resnet50")
    assert b"resnet50@" in signed_in.get(URL).content
    signed_in.post(URL, {"image": picture(), "model": other.pk})
    assert Prediction.objects.get().model_version == other


def test_a_model_that_does_not_exist_is_refused(signed_in: Client, serving: ModelVersion) -> None:
    response = signed_in.post(URL, {"image": picture(), "model": 999})
    assert response.status_code == 422
    assert not Prediction.objects.exists()


def test_with_one_model_there_is_nothing_to_choose(
    signed_in: Client, serving: ModelVersion
) -> None:
    assert b"<select" not in signed_in.get(URL).content


def test_without_a_model_staff_read_what_to_run(client: Client, staff: User) -> None:
    client.force_login(staff)
    response = client.get(URL)
    assert response.status_code == 503
    assert b"manage.py models install everyday" in response.content


def test_without_a_model_others_are_told_to_wait(signed_in: Client) -> None:
    response = signed_in.get(URL)
    assert response.status_code == 503
    assert b"manage.py" not in response.content


def test_staff_alone_read_what_the_bundled_model_knows(
    client: Client, staff: User, user: User, serving: ModelVersion
) -> None:
    client.force_login(user)
    assert b"models install resnet50" not in client.get(URL).content
    client.force_login(staff)
    page = client.get(URL).content.decode()
    assert "knows 3 things: cat, dog, ship" in page


def test_another_model_than_the_bundled_one_needs_no_such_line(client: Client, staff: User) -> None:
    version = ModelVersionFactory(name="resnet50")
    activate(version)
    client.force_login(staff)
    assert b"The bundled model" not in client.get(URL).content


def test_the_page_shows_what_was_classified_last(
    signed_in: Client, serving: ModelVersion, user: User
) -> None:
    PredictionFactory(succeeded=True, image__owner=user)
    foreign = PredictionFactory(succeeded=True)
    page = signed_in.get(URL).content.decode()
    assert "Recent" in page
    assert str(foreign.id) not in page


def test_too_many_files_at_once_are_refused_kindly(
    signed_in: Client, serving: ModelVersion, settings
) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 1
    response = signed_in.post(URL, {"image": [picture("a.png"), picture("b.png")]})
    assert response.status_code == 413
    assert b"Send fewer or smaller files at a time." in response.content


def test_a_file_far_over_the_limit_is_refused_without_being_kept(
    signed_in: Client, serving: ModelVersion, settings
) -> None:
    settings.UPLOAD_MAX_BYTES = 100_000
    huge = SimpleUploadedFile("huge.bmp", b"x" * 4_000_000, "image/bmp")
    response = signed_in.post(URL, {"image": huge}, headers=FROM_SCRIPT)
    assert response.status_code == 413
    assert b"3.8\xc2\xa0MB" in response.content


def test_a_request_that_is_too_large_as_a_whole_is_refused_unread(
    signed_in: Client, serving: ModelVersion, settings
) -> None:
    settings.UPLOAD_MAX_REQUEST_BYTES = 100_000
    files = [SimpleUploadedFile(f"{i}.bmp", b"x" * 40_000, "image/bmp") for i in range(3)]
    response = signed_in.post(URL, {"image": files})
    assert response.status_code == 413
    assert b"Send fewer or smaller files at a time." in response.content
    assert not response.wsgi_request.environ["wsgi.input"].read_started


@pytest.mark.parametrize("name", ["upload", "history"])
def test_a_stranger_is_sent_to_log_in_before_anything_is_read(db: None, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    huge = SimpleUploadedFile("huge.bmp", b"x" * 4_000_000, "image/bmp")
    response = client.post(reverse(name), {"image": huge})
    assert response.status_code == 302
    assert response.url.startswith(reverse("login"))
    assert not response.wsgi_request.environ["wsgi.input"].read_started


@pytest.mark.parametrize("name", ["login", "set_language", "admin:login"])
def test_a_stranger_can_spool_nothing_where_no_login_is_asked_for(db: None, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "a" * 32
    huge = SimpleUploadedFile("huge.bmp", b"x" * 4_000_000, "image/bmp")
    response = client.post(reverse(name), {"image": huge})
    assert response.status_code == 413
    assert not response.wsgi_request.environ["wsgi.input"].read_started


def test_the_upload_handler_spools_no_more_than_could_be_accepted(settings) -> None:
    settings.UPLOAD_MAX_BYTES = 100
    handler = BoundedUploadHandler()
    handler.new_file("image", "huge.bmp", "image/bmp", 0)
    for start in range(0, 1000, 50):
        handler.receive_data_chunk(b"x" * 50, start)
    file = handler.file_complete(1000)
    assert file.size == 1000
    assert len(file.read()) == 150


def test_the_page_says_what_the_bundled_model_knows(
    signed_in: Client, serving: ModelVersion
) -> None:
    page = signed_in.get(URL).content.decode()
    assert "The bundled model knows 3 things: cat, dog, ship." in page
    assert "could not be fetched" not in page


def test_the_page_says_that_the_better_model_could_not_be_fetched(
    signed_in: Client, serving: ModelVersion, settings, tmp_path
) -> None:
    settings.BETTER_MODEL_FAILED = tmp_path / "failed"
    settings.BETTER_MODEL_FAILED.touch()
    assert "ResNet-50 could not be fetched" in signed_in.get(URL).content.decode()


def test_a_disk_that_is_full_refuses_one_file_kindly_and_the_others_go_on(
    signed_in: Client, serving: ModelVersion, monkeypatch
) -> None:
    save = FileSystemStorage._save

    def save_small_ones(storage, name, content):
        if content.size > 10_000:
            raise OSError(28, "No space left on device")
        return save(storage, name, content)

    monkeypatch.setattr(FileSystemStorage, "_save", save_small_ones)
    files = [picture("a.png"), picture("large.bmp", format="BMP", size=(200, 200))]
    page = signed_in.post(URL, {"image": files}, follow=True).content.decode()
    assert "large.bmp: The server could not store the file. Try again later." in page
    assert Prediction.objects.count() == 1
