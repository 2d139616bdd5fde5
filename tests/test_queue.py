"""Claim, lease, settle, sweep: the table is the queue."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from classifier.actions.cancel import cancel_one
from classifier.actions.claim import claim, renew, unclaimed_of
from classifier.actions.settle import Outcome, release, settle
from classifier.actions.sweep import EXPIRED, GAVE_UP, sweep
from classifier.models import Prediction, Priority, Status
from classifier.queries.queue import places
from tests.factories import ModelVersionFactory, PredictionFactory

pytestmark = pytest.mark.django_db

CAT = [{"label": "cat", "score": 0.9}, {"label": "dog", "score": 0.1}]


def queue(count, version=None, **fields):
    version = version or ModelVersionFactory()
    return [PredictionFactory(model_version=version, **fields) for _ in range(count)]


def let_the_lease_lapse():
    past = timezone.now() - timedelta(seconds=1)
    Prediction.objects.filter(status=Status.RUNNING).update(lease_expires_at=past)


def settle_all(claimed, output=CAT):
    outcomes = [Outcome(row.id, output) for row in claimed.predictions]
    return settle(claimed.lease, outcomes, inference_seconds=0.5, batch_size=len(outcomes))


def test_nothing_waits_and_nothing_is_claimed():
    assert claim(8) is None


def test_the_oldest_are_claimed_first_and_no_more_than_asked_for():
    rows = queue(5)
    assert [row.id for row in claim(3).predictions] == [row.id for row in rows[:3]]
    assert [row.id for row in claim(3).predictions] == [row.id for row in rows[3:]]


def test_the_urgent_are_claimed_first_and_the_patient_last():
    version = ModelVersionFactory()
    asked = [Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.NORMAL, Priority.HIGH]
    rows = [PredictionFactory(model_version=version, priority=priority) for priority in asked]
    claimed = [claim(1).predictions[0].id for _ in rows]
    assert claimed == [rows[i].id for i in (2, 4, 1, 3, 0)]


def test_a_batch_takes_those_whose_turn_it_is_whatever_their_priority():
    version = ModelVersionFactory()
    low, normal, high = (
        PredictionFactory(model_version=version, priority=priority)
        for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH)
    )
    assert [row.id for row in claim(2).predictions] == [high.id, normal.id]
    assert [row.id for row in claim(2).predictions] == [low.id]


def test_an_urgent_one_of_another_model_version_goes_first():
    patient = queue(2)
    (urgent,) = queue(1, priority=Priority.HIGH)
    assert [row.id for row in claim(8).predictions] == [urgent.id]
    assert [row.id for row in claim(8).predictions] == [row.id for row in patient]


def test_places_in_the_queue_are_counted_as_it_will_be_claimed():
    (normal,) = queue(1)
    (urgent,) = queue(1, priority=Priority.HIGH)
    assert places() == {urgent.id: 1, normal.id: 2}


def test_what_nobody_wants_any_more_is_not_claimed():
    now = timezone.now()
    queue(1, expires_at=now - timedelta(seconds=1))
    (wanted,) = queue(1, expires_at=now + timedelta(minutes=1))
    assert [row.id for row in claim(8).predictions] == [wanted.id]
    assert claim(8) is None


def test_what_expired_before_a_worker_began_fails_and_says_so():
    now = timezone.now()
    (late,) = queue(1, expires_at=now - timedelta(seconds=1))
    others = queue(1, expires_at=now + timedelta(minutes=1)) + queue(1)
    assert sweep() == 0, "no lease had run out"
    late.refresh_from_db()
    assert (late.status, late.attempts, late.output) == (Status.FAILED, 0, None)
    assert (late.error_code, late.error_detail) == ("expired", EXPIRED)
    assert late.completed_at >= now
    assert {row.id for row in Prediction.objects.waiting()} == {row.id for row in others}


def test_what_a_worker_began_in_time_may_end_later():
    queue(1, expires_at=timezone.now() + timedelta(minutes=1))
    claimed = claim(8)
    Prediction.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    sweep()
    assert settle_all(claimed) == 1
    assert Prediction.objects.get().status == Status.SUCCEEDED


def test_what_expired_while_a_dead_worker_had_it_is_not_tried_again():
    queue(1, expires_at=timezone.now() + timedelta(minutes=1))
    claim(8)
    let_the_lease_lapse()
    Prediction.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    sweep()
    row = Prediction.objects.get()
    assert (row.status, row.error_code) == (Status.FAILED, "expired")


def test_what_was_canceled_or_has_ended_does_not_expire():
    past = timezone.now() - timedelta(seconds=1)
    PredictionFactory(canceled=True, expires_at=past)
    PredictionFactory(succeeded=True, expires_at=past)
    sweep()
    assert not Prediction.objects.filter(status=Status.FAILED).exists()


def test_a_claim_marks_its_rows_running_and_counts_the_attempt():
    (row,) = queue(1)
    claimed = claim(8)
    row.refresh_from_db()
    assert (row.status, row.attempts, row.lease) == (Status.RUNNING, 1, claimed.lease)
    assert row.lease_expires_at > timezone.now()
    assert row.started_at is not None


def test_a_claim_holds_predictions_of_one_model_version_only():
    one, other = ModelVersionFactory.create_batch(2)
    first, second, third = (PredictionFactory(model_version=v) for v in (one, other, one))
    claimed = claim(8)
    assert claimed.model_version == one
    assert [row.id for row in claimed.predictions] == [first.id, third.id]
    assert [row.id for row in claim(8).predictions] == [second.id]


def test_settled_rows_carry_their_answer_and_give_up_the_lease():
    queue(2)
    assert settle_all(claim(8)) == 2
    for row in Prediction.objects.all():
        assert (row.status, row.output, row.lease) == (Status.SUCCEEDED, CAT, None)
        assert (row.top_label, row.top_score) == ("cat", 0.9)
        assert (row.batch_size, row.inference_seconds) == (2, 0.5)
        assert row.created_at <= row.started_at <= row.completed_at


def test_one_batch_can_hold_answers_and_errors():
    queue(2)
    claimed = claim(8)
    good, bad = claimed.predictions
    outcomes = [Outcome(good.id, CAT), Outcome(bad.id, None, "undecodable", "It is cut off.")]
    assert settle(claimed.lease, outcomes, 0.1, 1) == 2
    bad.refresh_from_db()
    assert (bad.status, bad.output) == (Status.FAILED, None)
    assert (bad.error_code, bad.error_detail) == ("undecodable", "It is cut off.")


def test_labels_of_any_script_survive_settling():
    queue(1)
    output = [{"label": "it's 100 % 猫", "score": 1e-7}]
    settle_all(claim(8), output)
    assert Prediction.objects.get().output == output


def test_all_probabilities_are_kept_where_an_outcome_brings_them():
    queue(2)
    claimed = claim(8)
    with_all, without = claimed.predictions
    outcomes = [Outcome(with_all.id, CAT, probabilities=b"\x00\x01\xff"), Outcome(without.id, CAT)]
    settle(claimed.lease, outcomes, 0.1, 2)
    with_all.refresh_from_db()
    without.refresh_from_db()
    assert bytes(with_all.probabilities) == b"\x00\x01\xff"
    assert without.probabilities is None


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ({}, ["a", "b", "c", "d", "e"]),
        ({"top_k": 2}, ["a", "b"]),
        ({"top_k": 7}, ["a", "b", "c", "d", "e", "f"]),
        ({"threshold": 0.1}, ["a", "b", "c"]),
        ({"threshold": 0.1, "top_k": 1}, ["a"]),
        ({"threshold": 0.9}, []),
        ({"threshold": 0.0}, ["a", "b", "c", "d", "e"]),
    ],
)
def test_an_answer_is_as_long_as_was_asked_for(asked, labels):
    scores = {"a": 0.5, "b": 0.3, "c": 0.1, "d": 0.05, "e": 0.04, "f": 0.01}
    (row,) = queue(1, **asked)
    settle_all(claim(8), [{"label": label, "score": score} for label, score in scores.items()])
    assert row.answer is None, "as it was before"
    row.refresh_from_db()
    assert [item["label"] for item in row.answer] == labels


def test_a_result_that_lands_again_changes_nothing():
    queue(1)
    claimed = claim(8)
    assert settle_all(claimed) == 1
    assert settle_all(claimed, [{"label": "dog", "score": 1.0}]) == 0
    assert Prediction.objects.get().top_label == "cat"


def test_a_late_settle_cannot_overwrite_the_worker_that_took_over():
    queue(1)
    late = claim(8)
    let_the_lease_lapse()
    sweep()
    assert settle_all(late) == 0
    assert Prediction.objects.get().status == Status.QUEUED
    assert settle_all(claim(8)) == 1
    assert settle_all(late, [{"label": "dog", "score": 1.0}]) == 0
    assert Prediction.objects.get().top_label == "cat"


def test_a_strangers_lease_settles_nothing():
    queue(1)
    claimed = claim(8)
    outcome = Outcome(claimed.predictions[0].id, CAT)
    assert settle(uuid.uuid4(), [outcome], 0.1, 1) == 0


def test_a_renewed_lease_runs_on():
    queue(2)
    claimed = claim(8)
    let_the_lease_lapse()
    assert renew([claimed.lease, uuid.uuid4()]) == 2
    assert sweep() == 0
    assert settle_all(claimed) == 2


def test_a_lease_that_was_taken_away_cannot_be_renewed():
    queue(1)
    late = claim(8)
    let_the_lease_lapse()
    sweep()
    claim(8)
    assert renew([late.lease]) == 0


def test_the_rows_of_a_dead_worker_come_back():
    queue(3)
    claim(8)
    assert sweep() == 0, "a lease that still runs is left alone"
    let_the_lease_lapse()
    assert sweep() == 3
    assert set(Prediction.objects.values_list("status", "attempts", "lease")) == {
        (Status.QUEUED, 1, None)
    }


def test_a_row_that_was_claimed_before_runs_alone():
    rows = queue(3)
    claim(1)
    let_the_lease_lapse()
    sweep()
    assert [row.id for row in claim(8).predictions] == [rows[0].id]
    assert [row.id for row in claim(8).predictions] == [row.id for row in rows[1:]]


def test_an_image_that_kills_every_worker_fails_after_three_attempts():
    queue(1)
    for _ in range(3):
        assert claim(8) is not None
        let_the_lease_lapse()
        sweep()
    row = Prediction.objects.get()
    assert (row.status, row.attempts) == (Status.FAILED, 3)
    assert (row.error_code, row.error_detail) == ("attempts_exhausted", GAVE_UP)
    assert claim(8) is None


def test_a_released_batch_waits_a_little_and_is_then_tried_again(settings):
    settings.RETRY_SECONDS = 5
    queue(2)
    claimed = claim(8)
    assert release(claimed.lease, "It ran out of memory.") == 2
    assert sweep() == 0
    let_the_lease_lapse()
    assert sweep() == 2


def test_the_reason_of_the_last_release_is_the_reason_of_the_failure():
    queue(1)
    for _ in range(3):
        release(claim(8).lease, "It ran out of memory.")
        let_the_lease_lapse()
        sweep()
    assert Prediction.objects.get().error_detail == "It ran out of memory."


def test_an_answer_wipes_out_the_reason_of_an_earlier_release():
    queue(1)
    release(claim(8).lease, "It ran out of memory.")
    let_the_lease_lapse()
    sweep()
    settle_all(claim(8))
    assert Prediction.objects.get().error_detail == ""


def test_what_waits_can_be_canceled():
    (row,) = queue(1)
    assert cancel_one(row)
    row.refresh_from_db()
    assert row.status == Status.CANCELED
    assert row.completed_at is not None
    assert claim(8) is None


def test_what_runs_or_has_ended_cannot_be_canceled():
    (row,) = queue(1)
    claimed = claim(8)
    assert not cancel_one(row)
    settle_all(claimed)
    assert not cancel_one(row)
    row.refresh_from_db()
    assert row.status == Status.SUCCEEDED


def test_a_batch_of_64_costs_a_handful_of_statements(django_assert_max_num_queries):
    queue(64)
    with django_assert_max_num_queries(6):
        claimed = claim(64)
    with django_assert_max_num_queries(4):
        assert settle_all(claimed) == 64


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL scans a table so small")
def test_more_of_a_version_are_found_without_a_look_at_those_of_others():
    plan = unclaimed_of(ModelVersionFactory(), timezone.now()).explain()
    assert "prediction_of_version (status=? AND model_version_id=?" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL scans a table so small")
def test_the_waiting_are_read_by_their_index_in_their_turn_and_never_sorted():
    plan = Prediction.objects.in_turn().explain()
    assert "prediction_waiting" in plan
    assert "TEMP B-TREE" not in plan
