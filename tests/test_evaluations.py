"""Evaluations that are asked for on a page: rows with a lease, worked on by a process apart."""

import pytest
from django.core.files.storage import default_storage
from django.db.models import ProtectedError

from classifier.actions import evaluations
from classifier.actions.delete import delete_model_version
from classifier.actions.evaluations import (
    NewReport,
    claim_evaluation,
    delete_evaluation,
    fail_evaluation,
    hand_back_evaluation,
    note_progress,
    renew_evaluation,
    request_evaluation,
    settle_evaluation,
)
from classifier.actions.sweep import sweep
from classifier.models import Evaluation, Status
from classifier.worker import evaluate as worker
from tests.factories import ModelVersionFactory, PredictionFactory
from tests.noise import write_noise

pytestmark = pytest.mark.django_db

FOUND = NewReport("pets", "/pets", "f" * 64, "torch fp32", {"images": 1}, [["d", "cat", "cat", 1]])


@pytest.fixture
def asked():
    return request_evaluation(ModelVersionFactory(), "pets", "/pets", None)


def age(evaluation):
    """Let its lease have run out."""
    Evaluation.objects.filter(id=evaluation.id).update(lease_expires_at="2020-01-01T00:00Z")


def test_asking_rings_for_a_worker(broker, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        request_evaluation(ModelVersionFactory(), "pets", "/pets", None)
    assert broker.llen("evaluate") == 1


def test_each_is_claimed_once_the_oldest_first(asked):
    younger = request_evaluation(asked.model_version, "pets", "/pets", None)
    assert [claim_evaluation(), claim_evaluation(), claim_evaluation()] == [asked, younger, None]


def test_progress_and_the_report_are_the_leases_own(asked):
    lease = claim_evaluation().lease
    assert note_progress(lease, 5, 10)
    assert renew_evaluation(lease)
    assert settle_evaluation(lease, FOUND)
    asked.refresh_from_db()
    assert (asked.status, asked.done, asked.report["images"]) == (Status.SUCCEEDED, 1, 1)
    assert not settle_evaluation(lease, FOUND)
    assert not note_progress(lease, 6, 10)
    assert not fail_evaluation(lease, "late")


def test_one_that_failed_says_why(asked):
    assert fail_evaluation(claim_evaluation().lease, "there is no such folder")
    asked.refresh_from_db()
    assert (asked.status, asked.error_detail) == (Status.FAILED, "there is no such folder")


def test_one_that_is_handed_back_was_never_tried(asked):
    hand_back_evaluation(claim_evaluation().lease)
    asked.refresh_from_db()
    assert (asked.status, asked.attempts, asked.lease) == (Status.QUEUED, 0, None)


def test_the_sweep_gives_a_dead_workers_to_another_and_rings(asked, broker):
    age(claim_evaluation())
    sweep()
    assert broker.llen("evaluate") == 1
    assert claim_evaluation().attempts == 2


def test_the_sweep_gives_up_one_that_was_tried_too_often(asked, settings):
    for _ in range(settings.MAX_ATTEMPTS):
        age(claim_evaluation())
        sweep()
    asked.refresh_from_db()
    assert (asked.status, asked.error_detail) == (Status.FAILED, evaluations.GAVE_UP)


@pytest.fixture
def kept(tmp_path):
    """An evaluation with a mistake that is shown."""
    [path] = write_noise(tmp_path, 1)
    mistake = evaluations.Mistake(path, "cat", "dog", 0.9)
    return evaluations.keep_evaluation(
        ModelVersionFactory(), NewReport(**{**vars(FOUND), "mistakes": [mistake]})
    )


@pytest.mark.parametrize("way", ["by itself", "with its version"])
def test_deleting_one_deletes_its_pictures(kept, way, django_capture_on_commit_callbacks):
    picture = kept.report["mistakes"][0]["picture"]
    assert default_storage.exists(picture)
    with django_capture_on_commit_callbacks(execute=True):
        if way == "by itself":
            delete_evaluation(kept)
        else:
            delete_model_version(kept.model_version)
    assert not default_storage.exists(picture)
    assert not Evaluation.objects.filter(id=kept.id).exists()


def test_one_whose_version_cannot_be_deleted_stays(kept, django_capture_on_commit_callbacks):
    PredictionFactory(model_version=kept.model_version)
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ProtectedError):
        delete_model_version(kept.model_version)
    assert default_storage.exists(kept.report["mistakes"][0]["picture"])
    assert Evaluation.objects.filter(id=kept.id).exists()


@pytest.fixture
def command(monkeypatch):
    """Have the worker run another program than `manage.py evaluate`."""

    def replace(*arguments):
        monkeypatch.setattr(worker, "_command", lambda evaluation: list(arguments))
        monkeypatch.setattr(worker, "LOOK_SECONDS", 0.05)

    return replace


def test_a_process_that_refuses_fails_the_evaluation_with_its_last_line(asked, command):
    last = "CommandError: there is no such folder"  # as Django writes it
    command("sh", "-c", f"echo 'much before' >&2; echo '{last}' >&2; exit 2")
    worker.work_on(claim_evaluation())
    asked.refresh_from_db()
    assert (asked.status, asked.error_detail) == (Status.FAILED, "there is no such folder")


def test_a_process_that_dies_without_a_word_fails_it_too(asked, command):
    command("sh", "-c", "kill -9 $$")
    worker.work_on(claim_evaluation())
    asked.refresh_from_db()
    assert "exit code -9" in asked.error_detail


def test_a_worker_that_is_to_stop_ends_its_process_and_hands_back(asked, command, monkeypatch):
    command("sleep", "60")
    monkeypatch.setattr(worker, "stopping", lambda: True)
    worker.work_on(claim_evaluation())
    asked.refresh_from_db()
    assert asked.status == Status.QUEUED


def test_a_process_whose_lease_was_taken_away_is_ended(asked, command):
    command("sleep", "60")
    claimed = claim_evaluation()
    Evaluation.objects.filter(id=asked.id).update(
        status=Status.QUEUED, lease=None, lease_expires_at=None
    )
    worker.work_on(claimed)
    asked.refresh_from_db()
    assert asked.status == Status.QUEUED


def test_a_process_that_is_done_and_still_tidying_up_is_left_alone(asked, command, tmp_path):
    command("sh", "-c", f"sleep 0.3; touch {tmp_path}/tidy")
    claimed = claim_evaluation()
    settle_evaluation(claimed.lease, FOUND)
    worker.work_on(claimed)
    assert (tmp_path / "tidy").exists()


def test_the_command_is_the_one_that_people_use(asked):
    claimed = claim_evaluation()
    words = " ".join(worker._command(claimed))
    assert words.endswith(
        f"manage.py evaluate {asked.model_version} --data /pets --lease {claimed.lease}"
    )
    claimed.location = ""
    assert "--reviewed --lease" in " ".join(worker._command(claimed))
