"""An accepted upload is a row, a file and a bell; a refused or deleted one is nothing."""

import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.actions.delete import delete_image, delete_prediction
from classifier.actions.render import Rendition, rendition
from classifier.actions.submit import Order, Upload, rerun, submit, submit_all, submit_batch
from classifier.broker import forget
from classifier.images import InvalidImage, render, verify
from classifier.models import (
    Batch,
    Endpoint,
    Image,
    ModelVersion,
    Prediction,
    Priority,
    Source,
    Status,
)
from tests.factories import ModelVersionFactory, PredictionFactory, UserFactory, image_bytes
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
    prediction = submit(Order(user, serving), upload, "my holiday.jpeg")
    image = prediction.image
    assert (prediction.status, prediction.owner) == (Status.QUEUED, user)
    assert (image.original_name, image.format, image.width) == ("my holiday.jpeg", "JPEG", 64)
    assert "holiday" not in image.file.name
    assert str(image.id) not in image.file.name
    with image.file.open() as file:
        assert file.read() == upload.content


def test_the_same_bytes_of_the_same_owner_are_stored_once(user, serving, upload):
    first = submit(Order(user, serving), upload, "a.jpg")
    second = submit(Order(user, serving), upload, "b.jpg")
    assert first.id != second.id
    assert first.image == second.image
    assert len(files()) == 1


def test_the_same_bytes_of_another_owner_are_another_image(user, serving, upload):
    mine = submit(Order(user, serving), upload, "a.jpg")
    theirs = submit(Order(UserFactory(), serving), upload, "a.jpg")
    assert mine.image != theirs.image
    assert mine.image.file.name != theirs.image.file.name


def test_deleting_takes_row_file_and_renditions(
    user, serving, upload, django_capture_on_commit_callbacks
):
    prediction = submit(Order(user, serving), upload, "a.jpg")
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
    first = submit(Order(user, serving), upload, "a.jpg")
    submit(Order(user, serving), upload, "a.jpg")
    with django_capture_on_commit_callbacks(execute=True):
        delete_prediction(first)
    assert Image.objects.count() == 1
    assert len(files()) == 1


def test_a_rendition_is_made_once_and_then_kept(user, serving, upload):
    image = submit(Order(user, serving), upload, "a.jpg").image
    made = rendition(image, Rendition.THUMBNAIL)
    Path(image.file.path).unlink()
    assert rendition(image, Rendition.THUMBNAIL) == made


def test_deleting_what_is_gone_already_does_nothing(user, serving, upload):
    prediction = submit(Order(user, serving), upload, "a.jpg")
    other = submit(Order(user, serving), upload, "a.jpg")
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
    submit(Order(user, serving), upload, "a.jpg")
    for kind in Rendition:
        made = at_once(6, lambda _, kind=kind: rendition(Image.objects.get(), kind))
        assert len(set(made)) == 1
    assert len(files()) == 3
    assert strays() == []


@pytest.mark.django_db(transaction=True)
def test_a_rendition_is_never_seen_half_written(user, serving, upload, monkeypatch):
    image = submit(Order(user, serving), upload, "a.jpg").image
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
        prediction = submit(Order(user, serving), verify(image_bytes(colour=(i, 0, 0))), "a.png")

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
    prediction = submit(Order(user, serving), upload, "a.jpg")

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
        submit(Order(user, serving), upload, "a.jpg")
        assert broker.llen("classify") == 0
    assert broker.llen("classify") == 1


@pytest.mark.django_db(transaction=True)
def test_an_upload_that_is_rolled_back_rings_no_bell(broker, user, serving, upload):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        submit(Order(user, serving), upload, "a.jpg")
        1 / 0  # noqa: B018
    assert broker.llen("classify") == 0
    assert not Prediction.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_upload_is_accepted_while_the_broker_is_away(user, serving, upload, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1"
    forget()
    submit(Order(user, serving), upload, "a.jpg")
    assert Prediction.objects.get().status == Status.QUEUED
    forget()


def test_a_disk_that_is_full_leaves_nothing_behind(user, serving, upload, monkeypatch):
    save = FileSystemStorage._save

    def save_half(storage, name, content):
        save(storage, name, ContentFile(b"half"))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileSystemStorage, "_save", save_half)
    with pytest.raises(OSError, match="No space left"):
        submit(Order(user, serving), upload, "a.jpg")
    assert files() == []
    assert not Image.objects.exists()


COLOURS = ["red", "green", "blue"]


@pytest.fixture
def pictures():
    """Three that differ, each with a name."""
    return [(verify(image_bytes(colour=colour)), f"{colour}.png") for colour in COLOURS]


@pytest.fixture
def fails_at_the_third_file(monkeypatch):
    """A disk that is full when the third file comes."""
    save, saved = FileSystemStorage._save, []

    def save_two(storage, name, content):
        if len(saved) == 2:
            raise OSError(28, "No space left on device")
        saved.append(name)
        return save(storage, name, content)

    monkeypatch.setattr(FileSystemStorage, "_save", save_two)


def test_what_is_ordered_is_what_is_queued(user, serving, upload):
    later = timezone.now() + timedelta(hours=1)
    order = Order(
        user,
        serving,
        source=Source.API,
        priority=Priority.HIGH,
        expires_at=later,
        top_k=3,
        threshold=0.25,
        keeps_probabilities=True,
        metadata={"order": 66},
        webhook_url="https://example.org/told",
        webhook_events=("start", "completed"),
    )
    submit(order, upload, "a.jpg")
    row = Prediction.objects.get()
    assert (row.source, row.priority, row.expires_at) == (Source.API, Priority.HIGH, later)
    assert (row.top_k, row.threshold, row.keeps_probabilities) == (3, 0.25, True)
    assert row.metadata == {"order": 66}
    assert (row.webhook_url, row.webhook_events) == (order.webhook_url, ["start", "completed"])


def test_an_address_that_comes_with_a_request_gets_one_secret_for_its_owner(user, serving, upload):
    submit(Order(user, serving), upload, "a.jpg")
    assert not Endpoint.objects.exists()
    for path in ("one", "two"):
        submit(Order(user, serving, webhook_url=f"https://example.org/{path}"), upload, "a.jpg")
    endpoint = Endpoint.objects.get()
    assert (endpoint.owner, endpoint.url) == (user, "")
    assert endpoint.secret.startswith("whsec_")


def test_several_are_submitted_in_the_order_in_which_they_came(user, serving, pictures):
    predictions = submit_all(Order(user, serving), [*pictures, pictures[0]])
    assert [row.image.original_name for row in predictions] == [
        "red.png",
        "green.png",
        "blue.png",
        "red.png",
    ]
    assert sorted(predictions, key=lambda row: row.id) == predictions
    assert len(files()) == 3


def test_several_are_submitted_all_or_none(user, serving, pictures, fails_at_the_third_file):
    with pytest.raises(OSError, match="No space left"):
        submit_all(Order(user, serving), pictures)
    assert not Prediction.objects.exists()
    assert not Image.objects.exists()
    assert files() == []


def test_what_was_there_before_stays_when_the_rest_fails(
    user, serving, pictures, fails_at_the_third_file
):
    kept = submit(Order(user, serving), *pictures[1])
    with pytest.raises(OSError, match="No space left"):
        submit_all(Order(user, serving), pictures)
    assert Prediction.objects.get() == kept
    assert files() == [Path(kept.image.file.path)]


def test_a_prediction_that_cannot_be_queued_leaves_no_file(user, upload):
    with pytest.raises(IntegrityError):
        submit(Order(user, ModelVersion()), upload, "a.jpg")
    assert files() == []
    assert not Image.objects.exists()


def test_a_batch_keeps_the_place_of_each_image_and_the_reason_for_each_refusal(
    user, serving, pictures
):
    refusal = InvalidImage("empty", "The file is empty.")
    uploads = [
        Upload("red.png", pictures[0][0]),
        Upload("nothing.png", refusal),
        Upload("blue.png", pictures[2][0]),
    ]
    batch = submit_batch(Order(user, serving, top_k=2), uploads)
    batch.refresh_from_db()
    assert (batch.owner, batch.size) == (user, 3)
    assert batch.refused == [
        {"index": 1, "name": "nothing.png", "code": "empty", "detail": "The file is empty."}
    ]
    rows = batch.predictions.order_by("batch_index")
    assert [(row.batch_index, row.image.original_name) for row in rows] == [
        (0, "red.png"),
        (2, "blue.png"),
    ]
    assert {row.top_k for row in rows} == {2}
    assert sorted(rows, key=lambda row: row.id) == list(rows), "they are claimed in this order"


def test_the_same_picture_twice_in_a_batch_is_stored_once_and_answered_twice(user, serving, upload):
    batch = submit_batch(Order(user, serving), [Upload("a.jpg", upload), Upload("b.jpg", upload)])
    rows = batch.predictions.order_by("batch_index")
    assert [row.batch_index for row in rows] == [0, 1]
    assert Image.objects.count() == len(files()) == 1


def test_a_batch_of_refused_ones_only_is_a_batch_all_the_same(user, serving):
    batch = submit_batch(
        Order(user, serving), [Upload("a.png", InvalidImage("damaged", "It is damaged."))]
    )
    assert (batch.size, len(batch.refused), batch.predictions.count()) == (1, 1, 0)


def test_a_batch_is_there_whole_or_not_at_all(user, serving, pictures, fails_at_the_third_file):
    with pytest.raises(OSError, match="No space left"):
        submit_batch(Order(user, serving), [Upload(name, picture) for picture, name in pictures])
    assert not Batch.objects.exists()
    assert not Prediction.objects.exists()
    assert not Image.objects.exists()
    assert files() == []


@pytest.mark.django_db(transaction=True)
def test_a_batch_rings_once_when_it_commits(broker, user, serving, pictures):
    with transaction.atomic():
        submit_batch(Order(user, serving), [Upload(name, picture) for picture, name in pictures])
        assert broker.llen("classify") == 0
    assert broker.llen("classify") == 1


@pytest.mark.django_db(transaction=True)
def test_batches_of_the_same_pictures_in_any_order_do_not_block_each_other(user, serving, pictures):
    def race(i):
        uploads = [Upload(name, picture) for picture, name in pictures]
        return submit_batch(Order(user, serving), uploads[:: (-1) ** i])

    for _ in range(5):
        batches = at_once(4, race)
        assert [batch.predictions.count() for batch in batches] == [3] * 4
        assert Image.objects.count() == len(files()) == 3
        for prediction in Prediction.objects.all():
            delete_prediction(prediction)


def test_what_is_run_again_is_another_prediction_of_the_same_picture(user, serving, upload):
    first = submit(Order(user, serving, metadata={"n": 1}), upload, "a.jpg")
    other = ModelVersionFactory(name="other")
    again = rerun(first, Order(user, other, source=Source.API, top_k=1, metadata={"n": 2}))
    assert again.id != first.id
    assert (again.image, again.status) == (first.image, Status.QUEUED)
    assert (again.model_version, again.source, again.top_k) == (other, Source.API, 1)
    assert (again.metadata, first.metadata) == ({"n": 2}, {"n": 1})
    assert len(files()) == 1


def test_what_has_ended_can_be_run_again_and_keeps_its_answer(serving):
    first = PredictionFactory(succeeded=True, model_version=serving)
    again = rerun(first, Order(first.owner, serving))
    first.refresh_from_db()
    assert (first.status, first.top_label) == (Status.SUCCEEDED, "cat")
    assert (again.status, again.output, again.attempts) == (Status.QUEUED, None, 0)


def test_a_picture_that_was_deleted_meanwhile_cannot_be_run_again(user, serving, upload):
    first = submit(Order(user, serving), upload, "a.jpg")
    delete_image(Image.objects.get())
    with pytest.raises(Image.DoesNotExist):
        rerun(first, Order(user, serving))
    assert not Prediction.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_running_again_rings_the_bell(broker, user, serving):
    rerun(PredictionFactory(image__owner=user), Order(user, serving))
    assert broker.llen("classify") == 1


@pytest.mark.django_db(transaction=True)
def test_a_picture_that_is_run_again_while_it_is_deleted_stays_or_is_gone(user, serving):
    for i in range(10):
        first = submit(Order(user, serving), verify(image_bytes(colour=(i, 0, 0))), "a.png")

        def race(i, first=first):
            if i == 0:
                delete_prediction(first)
                return None
            with suppress(Image.DoesNotExist):
                return rerun(first, Order(user, serving))

        again = at_once(2, race)[1]
        assert [row.id for row in Prediction.objects.all()] == ([again.id] if again else [])
        assert len(files()) == Image.objects.count() == (1 if again else 0)
        if again:
            delete_prediction(again)
