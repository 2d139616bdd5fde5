"""An accepted upload is a row, a file and a bell; a refused or deleted one is nothing."""

from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction

from classifier.actions.delete import delete_prediction
from classifier.actions.render import Rendition, rendition
from classifier.actions.submit import submit
from classifier.images import verify
from classifier.models import Image, Prediction, Status
from tests.factories import UserFactory, image_bytes


def files():
    root = Path(settings.MEDIA_ROOT)
    return [path for name in ("images", "renditions") for path in root.glob(f"{name}/**/*.*")]


@pytest.fixture
def upload():
    return verify(image_bytes("JPEG"))


def test_an_upload_is_stored_under_a_random_name_and_queued(user, serving, upload):
    prediction = submit(user, upload, "my holiday.jpeg", serving)
    image = prediction.image
    assert (prediction.status, prediction.owner) == (Status.QUEUED, user)
    assert (image.original_name, image.format, image.width) == ("my holiday.jpeg", "JPEG", 64)
    assert "holiday" not in image.file.name
    assert str(image.id) not in image.file.name
    with image.file.open() as file:
        assert file.read() == upload.content


def test_the_same_bytes_of_the_same_owner_are_stored_once(user, serving, upload):
    first = submit(user, upload, "a.jpg", serving)
    second = submit(user, upload, "b.jpg", serving)
    assert first.id != second.id
    assert first.image == second.image
    assert len(files()) == 1


def test_the_same_bytes_of_another_owner_are_another_image(user, serving, upload):
    mine = submit(user, upload, "a.jpg", serving)
    theirs = submit(UserFactory(), upload, "a.jpg", serving)
    assert mine.image != theirs.image
    assert mine.image.file.name != theirs.image.file.name


def test_deleting_takes_row_file_and_renditions(
    user, serving, upload, django_capture_on_commit_callbacks
):
    prediction = submit(user, upload, "a.jpg", serving)
    for kind in Rendition:
        rendition(prediction.image, kind)
    assert len(files()) == 3
    with django_capture_on_commit_callbacks(execute=True):
        delete_prediction(prediction)
    assert not Prediction.objects.exists()
    assert not Image.objects.exists()
    assert files() == []


def test_an_image_stays_while_another_prediction_needs_it(
    user, serving, upload, django_capture_on_commit_callbacks
):
    first = submit(user, upload, "a.jpg", serving)
    submit(user, upload, "a.jpg", serving)
    with django_capture_on_commit_callbacks(execute=True):
        delete_prediction(first)
    assert Image.objects.count() == 1
    assert len(files()) == 1


def test_a_rendition_is_made_once_and_then_kept(user, serving, upload):
    image = submit(user, upload, "a.jpg", serving).image
    made = rendition(image, Rendition.THUMBNAIL)
    Path(image.file.path).unlink()
    assert rendition(image, Rendition.THUMBNAIL) == made


@pytest.mark.django_db(transaction=True)
def test_the_bell_rings_when_the_upload_commits(broker, user, serving, upload):
    with transaction.atomic():
        submit(user, upload, "a.jpg", serving)
        assert broker.llen("classify") == 0
    assert broker.llen("classify") == 1


@pytest.mark.django_db(transaction=True)
def test_an_upload_that_is_rolled_back_rings_no_bell(broker, user, serving, upload):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        submit(user, upload, "a.jpg", serving)
        1 / 0  # noqa: B018
    assert broker.llen("classify") == 0
    assert not Prediction.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_upload_is_accepted_while_the_broker_is_away(user, serving, upload, settings):
    from classifier import bells

    settings.REDIS_URL = "redis://127.0.0.1:1"
    bells._redis.cache_clear()
    submit(user, upload, "a.jpg", serving)
    assert Prediction.objects.get().status == Status.QUEUED
    bells._redis.cache_clear()
