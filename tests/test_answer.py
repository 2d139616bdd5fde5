"""Who waits for answers gets all of them in order, or hears why not; nothing is left behind."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from classifier import waiting
from classifier.actions.answer import NamedImage, OutOfTime, Unanswered, answer
from classifier.actions.cancel import cancel
from classifier.actions.claim import claim
from classifier.actions.delete import delete_prediction
from classifier.actions.submit import Order
from classifier.actions.sweep import sweep
from classifier.images import verify
from classifier.models import Image, Prediction, Source, Status
from tests.factories import image_bytes
from tests.fake_worker import answering
from tests.test_oip import NoSeats

pytestmark = pytest.mark.django_db(transaction=True)


def picture(colour):
    return NamedImage(f"{colour}.png", verify(image_bytes(colour=colour)))


@pytest.fixture
def order(user, serving):
    return Order(user, serving, Source.API)


@pytest.fixture
def meanwhile(broker):
    """Do something with the first prediction as soon as it waits, in another thread."""
    threads = []

    def run(action):
        def work():
            while not (waiting := Prediction.objects.order_by("id").first()):
                time.sleep(0.005)
            action(waiting)
            connection.close()

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield run
    for thread in threads:
        thread.join()


def test_the_answers_come_in_the_order_of_the_images(order, broker):
    images = [picture(colour) for colour in ("red", "green", "red")]
    with answering():
        predictions = answer(order, images, 10)
    assert [row.image.original_name for row in predictions] == ["red.png", "green.png", "red.png"]
    assert {row.status for row in predictions} == {Status.SUCCEEDED}
    assert Image.objects.count() == 2


def test_nobody_works_on_it_once_the_caller_is_gone(order, broker):
    with pytest.raises(OutOfTime):
        answer(order, [picture("red")], 0.05)
    row = Prediction.objects.get()
    assert row.status == Status.CANCELED
    assert row.expires_at < timezone.now() + timedelta(seconds=1), "even if this process had died"
    assert claim(8) is None


def test_what_the_sweep_has_withdrawn_first_was_out_of_time_too(order, meanwhile):
    def let_it_expire(row):
        past = timezone.now() - timedelta(seconds=1)
        Prediction.objects.filter(id=row.id).update(expires_at=past)
        sweep()

    meanwhile(let_it_expire)
    with pytest.raises(OutOfTime):
        answer(order, [picture("red")], 10)
    assert Prediction.objects.get().error_code == "expired"


def test_what_a_worker_has_in_hand_when_the_time_is_over_is_not_taken_from_it(order, meanwhile):
    meanwhile(lambda row: claim(8))
    with pytest.raises(OutOfTime):
        answer(order, [picture("red")], 0.5)
    assert Prediction.objects.get().status == Status.RUNNING


def test_a_failure_says_which_image_and_why(order, broker):
    with answering(failing="No picture."), pytest.raises(Unanswered, match="No picture") as failed:
        answer(order, [picture("red")], 10)
    assert (failed.value.index, failed.value.code) == (0, "undecodable")


def test_a_prediction_that_is_canceled_ends_the_wait(order, meanwhile):
    meanwhile(lambda row: cancel(Prediction.objects.filter(id=row.id)))
    with pytest.raises(Unanswered) as ended:
        answer(order, [picture("red")], 10)
    assert ended.value.code == "canceled"


def test_a_prediction_that_is_deleted_ends_the_wait(order, meanwhile):
    meanwhile(delete_prediction)
    with pytest.raises(Unanswered) as ended:
        answer(order, [picture("red")], 10)
    assert ended.value.code == "deleted"


def test_where_no_seat_is_free_nothing_is_stored(order, monkeypatch):
    monkeypatch.setattr(waiting, "_seats", lambda: NoSeats())
    with pytest.raises(waiting.NoSeat):
        answer(order, [picture("red")], 10)
    assert not Image.objects.exists()


def test_the_seat_is_free_again_after_every_end(order, broker):
    for _ in range(waiting._seats()._initial_value + 1):
        with pytest.raises(OutOfTime):
            answer(order, [picture("red")], 0.01)
