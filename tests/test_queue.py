"""Claim, lease, settle, sweep: the table is the queue."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.actions.cancel import cancel_one
from classifier.actions.claim import claim, renew
from classifier.actions.settle import Outcome, release, settle
from classifier.actions.sweep import GAVE_UP, sweep
from classifier.models import Prediction, Status
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
    with django_assert_max_num_queries(5):
        claimed = claim(64)
    with django_assert_max_num_queries(1):
        assert settle_all(claimed) == 64
