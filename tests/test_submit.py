"""An accepted upload is a row, a file and a bell; a refused or deleted one is nothing."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import transaction

from classifier.actions.delete import delete_image, delete_prediction
from classifier.actions.render import Rendition, rendition
from classifier.actions.submit import submit
from classifier.images import render, verify
from classifier.models import Image, Prediction, Status
from tests.factories import UserFactory, image_bytes
from tests.test_queue_races import at_once


def files():
    root = Path(settings.MEDIA_ROOT)
    return [path for name in ("images", "renditions") for path in root.glob(f"{name}/**/*.*")]


def strays():
    """What was spooled and is still there."""
    return list(Path(settings.MEDIA_ROOT).glob("tmp*"))


def size_once_there(path):
    while True:
        with suppress(FileNotFoundError):
            return path.stat().st_size


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


def test_deleting_what_is_gone_already_does_nothing(user, serving, upload):
    prediction = submit(user, upload, "a.jpg", serving)
    other = submit(user, upload, "a.jpg", serving)
    same, same_image = Prediction.objects.get(id=prediction.id), prediction.image
    delete_prediction(prediction)
    delete_prediction(same)
    assert Prediction.objects.get() == other
    delete_prediction(other)
    delete_prediction(Prediction(id=same.id, image_id=same.image_id))
    delete_image(same_image)
    assert not Image.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_rendition_asked_for_many_times_at_once_is_stored_once(user, serving, upload):
    submit(user, upload, "a.jpg", serving)
    for kind in Rendition:
        made = at_once(6, lambda _, kind=kind: rendition(Image.objects.get(), kind))
        assert len(set(made)) == 1
    assert len(files()) == 3
    assert strays() == []


@pytest.mark.django_db(transaction=True)
def test_a_rendition_is_never_seen_half_written(user, serving, upload, monkeypatch):
    image = submit(user, upload, "a.jpg", serving).image
    large = os.urandom(8_000_000)
    monkeypatch.setattr("classifier.actions.render.render", lambda *_: large)
    path = Path(settings.MEDIA_ROOT, image.rendition_name(Rendition.PICTURE))
    for _ in range(5):
        sizes = at_once(4, lambda i: size_once_there(path) if i else rendition(image, "picture"))
        assert {size for size in sizes if isinstance(size, int)} == {len(large)}
        path.unlink()


@pytest.mark.django_db(transaction=True)
def test_a_rendition_that_meets_the_deletion_of_its_picture_is_not_left_behind(user, serving):
    for i in range(10):
        prediction = submit(user, verify(image_bytes(colour=(i, 0, 0))), "a.png", serving)

        def race(i, prediction=prediction):
            if i == 0:
                delete_prediction(prediction)
            else:
                with suppress(FileNotFoundError, Image.DoesNotExist):
                    rendition(Image.objects.get(id=prediction.image_id), Rendition.THUMBNAIL)

        at_once(3, race)
        assert files() == []
    assert strays() == []


@pytest.mark.django_db(transaction=True)
def test_a_rendition_made_while_its_picture_was_deleted_is_removed(
    user, serving, upload, monkeypatch
):
    prediction = submit(user, upload, "a.jpg", serving)

    def render_late(content, longest_side):
        at_once(1, lambda _: delete_prediction(prediction))
        return render(content, longest_side)

    monkeypatch.setattr("classifier.actions.render.render", render_late)
    with pytest.raises(FileNotFoundError):
        rendition(prediction.image, Rendition.PICTURE)
    assert files() == []


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


def test_a_disk_that_is_full_leaves_nothing_behind(user, serving, upload, monkeypatch):
    save = FileSystemStorage._save

    def save_half(storage, name, content):
        save(storage, name, ContentFile(b"half"))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileSystemStorage, "_save", save_half)
    with pytest.raises(OSError, match="No space left"):
        submit(user, upload, "a.jpg", serving)
    assert files() == []
    assert not Image.objects.exists()
