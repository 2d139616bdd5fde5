"""The worker: from claimed rows to answers, through a real network of random weights."""

import hashlib
import uuid
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from safetensors.torch import save

from classifier.actions.recall import KEPT_LABELS
from classifier.actions.sweep import sweep
from classifier.ml.architectures import build_network
from classifier.ml.machine import cores
from classifier.ml.preprocess import preprocess
from classifier.models import Prediction, Priority, Status
from classifier.models.prediction import SHOWN_LABELS
from classifier.worker import classify, leases, runtime
from classifier.worker.classify import classify_waiting
from classifier.worker.leases import _renew_for_ever as renew_for_ever
from tests.factories import SPEC, ImageFactory, ModelVersionFactory, PredictionFactory

CLAIM = 5  # images at once

pytestmark = pytest.mark.django_db


def install_random_network(**fields):
    labels = fields.get("spec", SPEC)["labels"]
    weights = save(build_network("compact_cnn", len(labels)).state_dict())
    return ModelVersionFactory(
        weights=ContentFile(weights, "random.safetensors"),
        sha256=hashlib.sha256(weights).hexdigest(),
        **fields,
    )


def let_time_pass_and_sweep():
    past = timezone.now() - timedelta(seconds=1)
    Prediction.objects.filter(status=Status.RUNNING).update(lease_expires_at=past)
    sweep()


@pytest.fixture(autouse=True)
def _small_claims(monkeypatch):
    monkeypatch.setattr(classify, "UNKNOWN_CLAIM", CLAIM)
    monkeypatch.setattr(classify, "claim_sizes", dict)


@pytest.fixture
def version():
    runtime._loaded.clear()
    return install_random_network()


def test_whatever_waits_is_classified_by_the_real_network(version):
    PredictionFactory.create_batch(CLAIM + 3, model_version=version)
    classify_waiting()
    for row in Prediction.objects.all():
        assert row.status == Status.SUCCEEDED
        assert sum(answer["score"] for answer in row.output) == pytest.approx(1, abs=1e-4)
        assert {answer["label"] for answer in row.output} == set(SPEC["labels"])
        assert row.top_label == row.output[0]["label"]
        assert row.inference_seconds > 0
    sizes = set(Prediction.objects.values_list("batch_size", flat=True))
    assert sizes == {CLAIM, 3}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_claim_larger_than_a_call_goes_through_the_network_in_parts(device, version):
    rows = PredictionFactory.create_batch(CLAIM, model_version=version)
    model = runtime.loaded(version)
    alone = {row.id: outputs_alone(row, model) for row in rows}
    pairwise = EngineOf(model.engine, device)  # which decides who decodes
    runtime._loaded[version.pk, None] = runtime.LoadedModel(model.spec, pairwise)
    classify_waiting()
    for row in Prediction.objects.all():
        assert row.batch_size == CLAIM
        assert {item["label"]: item["score"] for item in row.output} == pytest.approx(
            alone[row.id], abs=1e-4
        )


class EngineOf:
    """An engine that says that it computes on this device, two images at a time."""

    max_batch = 2

    def __init__(self, engine, device):
        self.engine = engine
        self.device = device

    def logits(self, pixels):
        assert len(pixels) <= self.max_batch
        return self.engine.logits(pixels)


def outputs_alone(row, model):
    with row.image.file.open() as file:
        pixels = preprocess(file.read(), model.spec)
    [scores] = model.engine.predict(pixels[None])
    return dict(zip(model.spec.labels, scores.tolist(), strict=True))


def test_what_computed_an_answer_is_kept_with_it(version):
    PredictionFactory(model_version=version)
    classify_waiting()
    assert Prediction.objects.get().variant == "torch fp32" == version.computed_by


@pytest.fixture
def knows_many():
    """A version with more labels than a prediction keeps unasked."""
    runtime._loaded.clear()
    labels = [f"label {i}" for i in range(KEPT_LABELS + 4)]
    return install_random_network(spec={**SPEC, "labels": labels})


def test_the_best_labels_are_kept_and_more_where_more_were_asked_for(knows_many):
    many = len(knows_many.labels)
    asked = [None, 1, KEPT_LABELS + 2, many, many + 100]
    rows = [PredictionFactory(model_version=knows_many, top_k=top_k) for top_k in asked]
    classify_waiting()
    for row in rows:
        row.refresh_from_db()
        scores = [item["score"] for item in row.output]
        assert scores == sorted(scores, reverse=True)
    least = KEPT_LABELS
    assert [len(row.output) for row in rows] == [least, least, least + 2, many, many]
    assert [len(row.answer) for row in rows] == [SHOWN_LABELS, 1, least + 2, many, many]


def test_all_probabilities_are_kept_where_they_were_asked_for_and_nowhere_else(knows_many):
    image = ImageFactory()
    asked, unasked = (
        PredictionFactory(image=image, model_version=knows_many, keeps_probabilities=keeps)
        for keeps in (True, False)
    )
    classify_waiting()
    asked.refresh_from_db()
    unasked.refresh_from_db()
    assert unasked.class_scores is None
    kept = dict(zip(knows_many.labels, asked.class_scores, strict=True))
    assert sum(kept.values()) == pytest.approx(1, abs=1e-4)
    for item in asked.output:
        assert kept[item["label"]] == pytest.approx(item["score"], abs=1e-6)
    best = sorted(kept, key=kept.__getitem__, reverse=True)
    assert [item["label"] for item in asked.output] == best[:KEPT_LABELS]


def test_a_batch_may_hold_those_who_ask_for_little_and_for_all(knows_many):
    rows = [
        PredictionFactory(model_version=knows_many, top_k=1),
        PredictionFactory(model_version=knows_many, keeps_probabilities=True, top_k=12),
        PredictionFactory(model_version=knows_many),
    ]
    classify_waiting()
    for row in rows:
        row.refresh_from_db()
    assert {row.batch_size for row in rows} == {3}
    assert [row.probabilities is not None for row in rows] == [False, True, False]
    assert [len(row.output) for row in rows] == [10, 12, 10]


def test_the_urgent_are_classified_first_and_the_expired_not_at_all(version):
    past = timezone.now() - timedelta(seconds=1)
    expired = PredictionFactory(model_version=version, expires_at=past)
    low = PredictionFactory(model_version=version, priority=Priority.LOW)
    fill = PredictionFactory.create_batch(CLAIM, model_version=version)
    classify_waiting()
    for row in (expired, low, fill[-1]):
        row.refresh_from_db()
    assert (expired.status, expired.attempts) == (Status.QUEUED, 0)
    assert low.started_at > fill[-1].started_at
    assert (low.batch_size, fill[-1].batch_size) == (1, CLAIM)


def test_each_prediction_is_made_by_the_version_that_it_names(version):
    other = install_random_network(spec={**SPEC, "labels": ["x", "y", "z"]})
    image = ImageFactory()
    for model in (version, other, version):
        PredictionFactory(image=image, model_version=model)
    classify_waiting()
    first, second, third = Prediction.objects.order_by("id")
    assert first.output == third.output
    assert {answer["label"] for answer in second.output} == {"x", "y", "z"}


def test_a_picture_that_cannot_be_decoded_fails_alone_and_says_why(version):
    broken = PredictionFactory(model_version=version, image__content=b"no picture at all")
    good = PredictionFactory.create_batch(2, model_version=version)
    classify_waiting()
    broken.refresh_from_db()
    assert (broken.status, broken.attempts) == (Status.FAILED, 1)
    assert broken.error_code == "undecodable"
    assert "JPEG" in broken.error_detail
    for row in good:
        row.refresh_from_db()
        assert row.status == Status.SUCCEEDED


def test_a_picture_that_cannot_be_read_for_now_is_tried_again(version):
    lost, good = PredictionFactory.create_batch(2, model_version=version)
    name, content = lost.image.file.name, lost.image.file.read()
    lost.image.file.storage.delete(name)
    classify_waiting()
    lost.refresh_from_db()
    good.refresh_from_db()
    assert (lost.status, good.status) == (Status.RUNNING, Status.SUCCEEDED)
    lost.image.file.storage.save(name, ContentFile(content))
    let_time_pass_and_sweep()
    classify_waiting()
    lost.refresh_from_db()
    assert (lost.status, lost.attempts, lost.error_detail) == (Status.SUCCEEDED, 2, "")


def test_an_outage_of_the_storage_fails_nothing_however_long_it_lasts(version):
    rows = PredictionFactory.create_batch(3, model_version=version)
    away = Path(rows[1].image.file.path)
    content = away.read_bytes()
    away.unlink()
    away.mkdir()  # opening it is an OSError, and no FileNotFoundError
    for _ in range(5):
        classify_waiting()
        let_time_pass_and_sweep()
    rows[1].refresh_from_db()
    assert (rows[1].status, rows[1].attempts) == (Status.QUEUED, 0)
    away.rmdir()
    away.write_bytes(content)
    classify_waiting()
    assert set(Prediction.objects.values_list("status", flat=True)) == {Status.SUCCEEDED}


def test_a_worker_that_cannot_read_the_weights_leaves_the_queue_as_it_is(version):
    weights = Path(version.weights.path)
    weights.unlink()
    weights.mkdir()
    PredictionFactory.create_batch(2, model_version=version)
    classify_waiting()
    assert set(Prediction.objects.values_list("status", "attempts")) == {(Status.QUEUED, 0)}


def test_a_batch_that_takes_longer_than_its_lease_keeps_it(version):
    PredictionFactory(model_version=version)
    model = runtime.loaded(version)
    slow = SlowEngine(model.engine)
    runtime._loaded[version.pk, None] = runtime.LoadedModel(model.spec, slow)
    classify_waiting()
    assert slow.swept == 0
    assert Prediction.objects.get().status == Status.SUCCEEDED
    assert not leases._held


def test_what_is_held_is_renewed_again_and_again(monkeypatch, settings):
    class Enough(Exception):
        pass

    def renew(held):
        renewed.append(held)
        if len(renewed) == 3:
            raise Enough

    settings.LEASE_SECONDS, renewed, lease = 0.003, [], uuid.uuid4()
    monkeypatch.setattr(leases, "renew", renew)
    with leases.held(lease), pytest.raises(Enough):
        renew_for_ever()
    assert renewed == [[lease]] * 3


class SlowEngine:
    """An engine in whose forward pass the lease runs out, is renewed, and a sweep comes by."""

    device = "cpu"

    def __init__(self, engine):
        self.engine = engine
        self.swept = None

    @property
    def max_batch(self):
        return self.engine.max_batch

    def logits(self, images):
        past = timezone.now() - timedelta(seconds=1)
        Prediction.objects.update(lease_expires_at=past)
        leases.renew_held()
        self.swept = sweep()
        return self.engine.logits(images)


class EngineThatChokesOn:
    """An engine that raises whenever one certain image is in the batch."""

    device = "cpu"

    def __init__(self, engine, poison):
        self.engine = engine
        self.poison = poison

    @property
    def max_batch(self):
        return self.engine.max_batch

    def logits(self, images):
        if any(np.array_equal(image, self.poison) for image in images):
            raise MemoryError
        return self.engine.logits(images)


def test_a_poison_image_fails_after_three_attempts_and_its_neighbours_succeed(version):
    rows = PredictionFactory.create_batch(4, model_version=version)
    poison = rows[1]
    model = runtime.loaded(version)
    with poison.image.file.open() as file:
        pixels = preprocess(file.read(), model.spec)
    choking = runtime.LoadedModel(model.spec, EngineThatChokesOn(model.engine, pixels))
    runtime._loaded[version.pk, None] = choking
    for _ in range(3):
        classify_waiting()
        let_time_pass_and_sweep()
    poison.refresh_from_db()
    assert (poison.status, poison.attempts) == (Status.FAILED, 3)
    assert "MemoryError" in poison.error_detail
    for row in (rows[0], rows[2], rows[3]):
        row.refresh_from_db()
        assert (row.status, row.attempts) == (Status.SUCCEEDED, 2)
        assert row.batch_size == 1, "what was in a batch that failed runs alone"


def test_weights_that_were_changed_on_disk_never_serve(version):
    version.weights.storage.delete(version.weights.name)
    version.weights.storage.save(version.weights.name, ContentFile(b"something else"))
    PredictionFactory(model_version=version)
    for _ in range(3):
        classify_waiting()
        let_time_pass_and_sweep()
    row = Prediction.objects.get()
    assert row.status == Status.FAILED
    assert "DigestMismatch" in row.error_detail


def test_a_stopping_worker_leaves_the_rest_in_the_queue(version, monkeypatch):
    PredictionFactory(model_version=version)
    monkeypatch.setattr("celery.worker.state.should_stop", 0)
    classify_waiting()
    assert Prediction.objects.get().status == Status.QUEUED


def test_a_full_batch_wakes_the_next_thread(broker, version):
    PredictionFactory.create_batch(CLAIM, model_version=version)
    classify_waiting()
    assert broker.llen("classify") == 1


def test_a_worker_hears_calls_though_it_could_not_load_a_network_beforehand(serving, monkeypatch):
    opened = []
    monkeypatch.setattr(classify, "share_cores", lambda callers: None)
    monkeypatch.setattr(classify, "lobby", SimpleNamespace(open=lambda: opened.append(True)))
    with pytest.raises(FileNotFoundError):
        classify.get_ready()
    assert opened


@pytest.mark.parametrize(("threads", "callers"), [(0, cores()), (2, 2)])
def test_the_threads_of_a_worker_share_its_cores(threads, callers, version, settings, monkeypatch):
    told = []
    settings.WORKER_THREADS = threads
    monkeypatch.setattr(classify, "share_cores", told.append)
    monkeypatch.setattr(classify, "lobby", SimpleNamespace(open=lambda: None))
    classify.get_ready()
    assert told == [callers]


def test_a_bell_too_many_finds_nothing_to_do(version, django_assert_num_queries):
    with django_assert_num_queries(4):  # a transaction around one look, and who challenges whom
        classify_waiting()
