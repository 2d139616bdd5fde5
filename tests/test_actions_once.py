"""What is asked again under the same key is found and not made again."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from classifier.actions.delete import delete_prediction
from classifier.actions.once import DIED, KEPT, InFlight, OtherRequest, forget_old, once
from classifier.actions.submit import Order, Upload, submit, submit_batch
from classifier.actions.sweep import sweep
from classifier.images import verify
from classifier.models import Batch, IdempotencyKey, Prediction
from tests.factories import PredictionFactory, UserFactory, image_bytes
from tests.test_queue_races import at_once

pytestmark = pytest.mark.django_db
KEY, PRINT, OTHER_PRINT = "order 66", "a" * 64, "b" * 64


@pytest.fixture
def make(user, serving):
    """Submits a picture, and counts how often it was asked to."""

    def make():
        make.calls += 1
        return submit(Order(user, serving), verify(image_bytes()), "a.png")

    make.calls = 0
    return make


def reserve(owner, age=timedelta(0), **made):
    """A key as a request leaves it that came `age` ago."""
    return IdempotencyKey.objects.create(
        owner=owner, key=KEY, fingerprint=PRINT, created_at=timezone.now() - age, **made
    )


def never():
    raise AssertionError("nothing is to be made")


def test_the_first_request_makes_it_and_the_second_finds_it(user, make):
    made, was_there = once(user, KEY, PRINT, make)
    assert was_there is False
    again, was_there = once(user, KEY, PRINT, make)
    assert (again, was_there) == (made, True)
    assert make.calls == 1
    assert Prediction.objects.get() == made


def test_a_batch_is_made_once_too(user, serving):
    def make():
        return submit_batch(Order(user, serving), [Upload("a.png", verify(image_bytes()))])

    made, _ = once(user, KEY, PRINT, make)
    assert once(user, KEY, PRINT, never) == (made, True)
    assert Batch.objects.get() == made


def test_what_is_found_is_as_it_is_now(user, make):
    made, _ = once(user, KEY, PRINT, make)
    Prediction.objects.update(top_label="cat")
    found, _ = once(user, KEY, PRINT, never)
    assert (found.id, found.top_label) == (made.id, "cat")


def test_another_request_under_the_same_key_is_refused(user, make):
    once(user, KEY, PRINT, make)
    with pytest.raises(OtherRequest):
        once(user, KEY, OTHER_PRINT, never)
    assert Prediction.objects.count() == 1
    assert once(user, KEY, PRINT, never)[1] is True


def test_another_request_is_refused_while_the_first_is_worked_on(user):
    reserve(user)
    with pytest.raises(OtherRequest):
        once(user, KEY, OTHER_PRINT, never)


def test_a_request_that_is_worked_on_is_in_flight(user):
    held = reserve(user, age=DIED - timedelta(seconds=10))
    with pytest.raises(InFlight):
        once(user, KEY, PRINT, never)
    assert IdempotencyKey.objects.get() == held


def test_keys_of_others_and_other_keys_are_no_concern(user, serving, make):
    once(user, KEY, PRINT, make)
    once(user, "another key", PRINT, make)
    other = UserFactory()
    once(other, KEY, PRINT, lambda: PredictionFactory(image__owner=other, model_version=serving))
    assert make.calls == 2
    assert Prediction.objects.count() == 3


def test_upper_and_lower_case_are_two_keys(user, make):
    once(user, "key", PRINT, make)
    once(user, "KEY", PRINT, make)
    assert make.calls == 2


@pytest.mark.parametrize("trouble", [ZeroDivisionError, KeyboardInterrupt])
def test_the_key_is_free_again_if_nothing_could_be_made(user, make, trouble):
    def half():
        make()
        raise trouble

    with pytest.raises(trouble):
        once(user, KEY, PRINT, half)
    assert not IdempotencyKey.objects.exists()
    assert not Prediction.objects.exists(), "what it had begun is undone"
    assert once(user, KEY, OTHER_PRINT, make)[1] is False


def test_the_key_is_taken_over_after_a_request_died(user, make):
    dead = reserve(user, age=DIED + timedelta(seconds=1))
    made, was_there = once(user, KEY, OTHER_PRINT, make)
    assert was_there is False
    kept = IdempotencyKey.objects.get()
    assert kept.pk != dead.pk
    assert (kept.prediction, kept.fingerprint) == (made, OTHER_PRINT)


def test_a_request_that_made_something_did_not_die(user):
    made = PredictionFactory(image__owner=user)
    reserve(user, age=KEPT - timedelta(minutes=1), prediction=made)
    assert once(user, KEY, PRINT, never) == (made, True)


def test_who_comes_to_life_after_another_took_over_makes_nothing(user, make):
    def slow():
        made = make()
        with transaction.atomic():  # what a request does that takes the key for dead
            IdempotencyKey.objects.all().delete()
            reserve(user)
        return made

    with pytest.raises(InFlight):
        once(user, KEY, PRINT, slow)
    assert not Prediction.objects.exists()


def test_a_key_is_forgotten_after_a_day(user, make):
    once(user, KEY, PRINT, make)
    IdempotencyKey.objects.update(created_at=timezone.now() - KEPT - timedelta(seconds=1))
    assert once(user, KEY, OTHER_PRINT, make)[1] is False
    assert make.calls == 2
    assert Prediction.objects.count() == 2
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.parametrize("forget", [forget_old, sweep])
def test_the_sweep_forgets_the_keys_whose_day_is_over_and_no_others(user, forget):
    prediction = PredictionFactory(image__owner=user)
    reserve(user, age=KEPT + timedelta(seconds=1), prediction=prediction)
    young = IdempotencyKey.objects.create(
        owner=user, key="young", fingerprint=PRINT, created_at=timezone.now()
    )
    forget()
    assert IdempotencyKey.objects.get() == young
    assert Prediction.objects.get() == prediction


def test_a_key_goes_with_what_it_made(user, make):
    made, _ = once(user, KEY, PRINT, make)
    delete_prediction(made)
    assert once(user, KEY, PRINT, make)[1] is False


def outcome_of(work):
    """The id of what was made or found, or the name of the refusal."""
    try:
        return work()[0].id
    except (InFlight, OtherRequest) as error:
        return type(error).__name__


@pytest.mark.django_db(transaction=True)
def test_of_requests_that_race_one_makes_it_and_the_others_find_or_await_it(user, serving):
    upload = verify(image_bytes())
    order = Order(user, serving)
    for round in range(5):
        key = f"key {round}"

        def race(_, key=key):
            return outcome_of(lambda: once(user, key, PRINT, lambda: submit(order, upload, "a")))

        outcomes = set(at_once(4, race)) - {"InFlight"}
        made = IdempotencyKey.objects.get(key=key).prediction_id
        assert outcomes == {made}
        assert Prediction.objects.count() == round + 1


@pytest.mark.django_db(transaction=True)
def test_of_requests_that_race_for_a_dead_ones_key_one_makes_it(user, serving):
    upload = verify(image_bytes())
    order = Order(user, serving)
    for round in range(5):
        IdempotencyKey.objects.all().delete()
        reserve(user, age=DIED * 2)
        outcomes = at_once(
            4,
            lambda _: outcome_of(
                lambda: once(user, KEY, PRINT, lambda: submit(order, upload, "a"))
            ),
        )
        assert set(outcomes) - {"InFlight"} == {IdempotencyKey.objects.get().prediction_id}
        assert Prediction.objects.count() == round + 1


@pytest.mark.django_db(transaction=True)
def test_of_different_requests_that_race_for_a_key_one_is_made(user, serving):
    upload = verify(image_bytes())
    order = Order(user, serving)

    def race(i):
        return outcome_of(lambda: once(user, KEY, f"{i}" * 64, lambda: submit(order, upload, "a")))

    outcomes = at_once(4, race)
    assert outcomes.count("OtherRequest") == 3
    assert Prediction.objects.get().id in outcomes


@pytest.mark.django_db(transaction=True)
def test_a_caller_who_hears_of_a_failure_may_ask_again_at_once(user, serving):
    """Requests that fail and are sent again, side by side: in the end there is one."""
    upload = verify(image_bytes())

    def stumble(i, attempt):
        made = submit(Order(user, serving), upload, "a")
        if (i + attempt) % 3:
            raise ConnectionError
        return made

    def insist(i):
        for attempt in range(50):
            try:
                return once(user, KEY, PRINT, lambda: stumble(i, attempt))[0].id  # noqa: B023
            except (InFlight, ConnectionError):
                continue
        return None

    ids = set(at_once(3, insist))
    assert ids - {None} == {Prediction.objects.get().id}
