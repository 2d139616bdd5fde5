"""Shadowing: a challenger answers a share of the champion's traffic, and nobody sees it."""

import pytest

from classifier.actions import shadow as actions
from classifier.actions.claim import renew
from classifier.actions.promote import activate, challenge, withdraw
from classifier.actions.shadow import Seen, cast_shadows, claim_shadows, settle_shadows
from classifier.actions.sweep import sweep
from classifier.models import Prediction, Shadow, Status
from classifier.queries.deployment import trial
from classifier.worker import runtime, shadow
from classifier.worker.classify import classify_waiting
from tests.factories import ModelVersionFactory, PredictionFactory
from tests.test_worker import install_random_network
from tests.trials import tried

pytestmark = pytest.mark.django_db


@pytest.fixture
def everything(settings):
    settings.SHADOW_SHARE = 1.0


@pytest.fixture
def champion():
    version = install_random_network()
    activate(version)
    return version


@pytest.fixture
def challenger(champion):
    version = install_random_network()
    challenge(version)
    return version


@pytest.fixture
def waiting(challenger, champion):
    """A shadow that the challenger still owes."""
    prediction = PredictionFactory(model_version=champion, succeeded=True)
    cast_shadows(challenger, [prediction.id])
    return Shadow.objects.get()


def test_the_challenger_answers_what_the_champion_has_answered(champion, challenger, everything):
    rows = PredictionFactory.create_batch(3, model_version=champion)
    classify_waiting()
    assert Prediction.objects.succeeded().count() == 3
    for row in rows:
        [seen] = row.shadows.all()
        assert (seen.status, seen.model_version) == (Status.SUCCEEDED, challenger)
        assert seen.top_label in champion.labels
        assert 0 < seen.top_score <= 1


def test_nobody_sees_what_it_says(champion, challenger, everything, client, staff):
    row = PredictionFactory(model_version=champion)
    classify_waiting()
    client.force_login(row.owner)
    assert str(challenger) not in client.get(f"/predictions/{row.id}/").content.decode()
    assert Prediction.objects.count() == 1


def test_only_a_share_of_the_traffic_is_shadowed(champion, challenger, settings, monkeypatch):
    settings.SHADOW_SHARE = 0.25
    draws = iter([0.1, 0.9, 0.24, 0.26])
    monkeypatch.setattr(shadow.random, "random", lambda: next(draws))
    PredictionFactory.create_batch(4, model_version=champion)
    classify_waiting()
    assert Shadow.objects.count() == 2


def test_other_versions_and_models_without_a_challenger_are_left_alone(
    champion, challenger, everything
):
    other = install_random_network()
    PredictionFactory(model_version=other)
    classify_waiting()
    assert not Shadow.objects.exists()


def test_what_failed_is_not_shadowed(champion, challenger):
    failed = PredictionFactory(model_version=champion, failed=True)
    assert cast_shadows(challenger, [failed.id]) == 0


def test_a_prediction_is_shadowed_once_and_goes_with_its_shadow(waiting, challenger):
    cast_shadows(challenger, [waiting.prediction_id])
    assert Shadow.objects.count() == 1
    Prediction.objects.all().delete()
    assert not Shadow.objects.exists()


def test_a_queue_that_is_never_empty_lets_no_more_than_so_many_wait(
    waiting, challenger, champion, monkeypatch
):
    monkeypatch.setattr(actions, "MOST_WAITING", 1)
    row = PredictionFactory(model_version=champion, succeeded=True)
    assert cast_shadows(challenger, [row.id]) == 0


def test_predictions_come_first(champion, challenger, everything, monkeypatch):
    """A shadow is worked on when nothing else waits."""
    seen = []
    answer = shadow._answer

    def watched(version):
        seen.append(Prediction.objects.waiting().count())
        return answer(version)

    monkeypatch.setattr(shadow, "_answer", watched)
    PredictionFactory.create_batch(30, model_version=champion)
    classify_waiting()
    assert set(seen) == {0}
    assert Shadow.objects.answered().count() == 30


def test_two_workers_never_claim_the_same(waiting, challenger):
    assert len(claim_shadows(challenger, 8)[1]) == 1
    assert claim_shadows(challenger, 8)[1] == []


def test_what_a_dead_worker_left_is_given_up_with_all_that_waits_for_that_challenger(
    waiting, challenger, champion
):
    lease, _ = claim_shadows(challenger, 8)
    cast_shadows(challenger, [PredictionFactory(model_version=champion, succeeded=True).id])
    Shadow.objects.filter(lease=lease).update(lease_expires_at="2020-01-01T00:00Z")
    sweep()
    settle_shadows(lease, [Seen(waiting.pk, "cat", 0.9)])
    [left] = Shadow.objects.all()
    assert (left, left.status, left.top_label) == (waiting, Status.FAILED, "")


def test_a_lease_is_renewed_while_the_challenger_works(waiting, challenger):
    lease, _ = claim_shadows(challenger, 8)
    Shadow.objects.update(lease_expires_at="2020-01-01T00:00Z")
    renew([lease])
    assert not Shadow.objects.lapsed().exists()


def test_a_challenger_that_fails_stops_nobody_and_is_left_alone_for_a_while(
    waiting, challenger, champion, everything
):
    type(challenger).objects.filter(pk=challenger.pk).update(sha256="0" * 64)
    PredictionFactory.create_batch(2, model_version=champion)
    classify_waiting()
    assert {row.status for row in Prediction.objects.all()} == {Status.SUCCEEDED}
    waiting.refresh_from_db()
    assert waiting.status == Status.FAILED
    assert challenger.pk in shadow._not_before


def test_a_storage_that_does_not_answer_costs_no_shadow(waiting, monkeypatch):
    def away(_):
        raise OSError("the bucket does not answer")

    monkeypatch.setattr(shadow, "loaded", away)
    assert not shadow.answer_shadows()
    waiting.refresh_from_db()
    assert (waiting.status, waiting.lease) == (Status.QUEUED, None)


def test_one_thread_at_a_time_works_for_challengers(waiting):
    with shadow._answering:
        assert not shadow.answer_shadows()
    assert shadow.answer_shadows()


def test_a_challenger_that_leaves_no_room_for_others_is_left_alone(waiting, challenger, settings):
    settings.MODEL_MEMORY_BYTES = 1
    runtime.loaded(waiting.prediction.model_version)
    assert not shadow.answer_shadows()
    assert challenger.pk in shadow._not_before
    assert Shadow.objects.answered().count() == 1


def test_who_is_no_challenger_any_more_is_asked_nothing(challenger, champion, waiting):
    withdraw("everyday")
    row = PredictionFactory(model_version=champion, succeeded=True)
    assert cast_shadows(challenger, [row.id]) == 0
    sweep()
    assert not Shadow.objects.exists()


def test_the_admin_does_not_tell_what_a_challenger_says(waiting, challenger, boss):
    Shadow.objects.update(status=Status.SUCCEEDED, top_label="unheard-of")
    for path in (
        f"prediction/{waiting.prediction_id}",
        f"image/{waiting.prediction.image_id}",
        f"modelversion/{challenger.pk}",
    ):
        page = boss.get(f"/admin/classifier/{path}/delete/").content.decode()
        assert "unheard-of" not in page
    assert "1 answer kept back" in page


def test_the_two_are_compared_on_the_reviewed_pictures():
    champion, challenger = ModelVersionFactory.create_batch(2)
    for truth, said, unseen in [
        *[("cat", "cat", "cat")] * 3,
        *[("cat", "dog", "cat")] * 2,
        ("cat", "cat", "ship"),
    ]:
        tried(champion, challenger, truth, said, unseen)
    found = trial(champion, challenger)
    assert (found.answered, found.same) == (6, 3)
    comparison = found.comparison
    assert (comparison.images, comparison.only_first, comparison.only_second) == (6, 1, 2)
    assert not found.has_enough
    assert found.missing == 24


def test_a_picture_that_was_reviewed_twice_counts_once():
    champion, challenger = ModelVersionFactory.create_batch(2)
    first = tried(champion, challenger, "cat", "cat", "dog")
    second = tried(champion, challenger, "dog", "cat", "dog")
    Prediction.objects.filter(id=second.prediction_id).update(image=first.prediction.image)
    comparison = trial(champion, challenger).comparison
    assert (comparison.images, comparison.only_first, comparison.only_second) == (1, 0, 1)
