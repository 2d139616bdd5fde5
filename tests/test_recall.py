"""The same image through the same model, for the same owner, is answered at once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from classifier.actions.recall import KEPT_LABELS
from classifier.actions.submit import Order, Upload, rerun, submit, submit_batch
from classifier.images import verify
from classifier.models import Prediction, Status, Variant
from tests.factories import SPEC, ModelVersionFactory, UserFactory, image_bytes
from tests.fake_worker import answer_waiting

pytestmark = pytest.mark.django_db

PICTURE = verify(image_bytes())


@pytest.fixture
def order(user):
    return Order(user, ModelVersionFactory())


def ask(order, picture=PICTURE, **options):
    changed = Order(**{**vars(order), **options})
    prediction = submit(changed, picture, "cat.png")
    return Prediction.objects.get(id=prediction.id)


def test_the_same_image_is_answered_from_the_earlier_prediction(order):
    first = ask(order)
    answer_waiting(variant="torch fp32")
    again = ask(order)
    first.refresh_from_db()
    assert (first.cached, again.cached) == (False, True)
    assert (again.status, again.output) == (Status.SUCCEEDED, first.output)
    assert (again.top_label, again.top_score) == (first.top_label, first.top_score)
    assert again.variant == "torch fp32"
    assert again.completed_at <= timezone.now()
    assert (again.started_at, again.inference_seconds, again.batch_size) == (None, None, None)


def test_nothing_is_recalled_before_the_first_is_answered(order):
    ask(order)
    assert ask(order).status == Status.QUEUED


def test_a_failed_prediction_is_tried_anew(order):
    ask(order)
    answer_waiting(failing="Cut off.")
    assert ask(order).status == Status.QUEUED


@pytest.mark.parametrize(
    "other",
    [
        lambda: {"owner": UserFactory()},
        lambda: {"model_version": ModelVersionFactory()},
        lambda: {"may_be_cached": False},
        lambda: {"keeps_probabilities": True},
    ],
    ids=["another owner", "another model", "asked for anew", "all probabilities"],
)
def test_what_is_not_the_same_question_is_queued(order, other):
    ask(order)
    answer_waiting(variant="torch fp32")
    assert ask(order, **other()).status == Status.QUEUED


def test_an_answer_that_knows_too_few_labels_will_not_do(user):
    labels = [f"label {i}" for i in range(KEPT_LABELS + 5)]
    order = Order(user, ModelVersionFactory(spec={**SPEC, "labels": labels}))
    scores = [1 / len(labels)] * len(labels)
    ask(order)
    answer_waiting(scores, variant="torch fp32", most=KEPT_LABELS)
    assert ask(order, top_k=KEPT_LABELS).status == Status.SUCCEEDED
    assert ask(order, top_k=KEPT_LABELS + 1).status == Status.QUEUED


def test_all_probabilities_are_recalled_where_they_were_kept(order):
    first = ask(order, keeps_probabilities=True)
    answer_waiting(variant="torch fp32")
    again = ask(order, keeps_probabilities=True)
    first.refresh_from_db()
    assert first.class_scores is not None
    assert again.class_scores == first.class_scores
    assert ask(order).probabilities is None


def test_an_answer_of_another_variant_or_of_its_older_build_will_not_do(order):
    ask(order)
    answer_waiting(variant="torch fp32")
    version = order.model_version
    version.variant = Variant.objects.create(
        model_version=version, engine="onnxruntime", precision="int8", passed=True
    )
    version.save()
    assert ask(order).status == Status.QUEUED
    answer_waiting(variant="onnxruntime int8")
    assert ask(order).status == Status.SUCCEEDED
    Variant.objects.update(created_at=timezone.now())
    version.variant.refresh_from_db()
    assert ask(order).status == Status.QUEUED


def test_to_run_again_is_to_compute_again(order):
    first = ask(order)
    answer_waiting(variant="torch fp32")
    assert rerun(first, order).status == Status.QUEUED


def test_a_batch_queues_only_what_is_new(order):
    ask(order)
    answer_waiting(variant="torch fp32")
    other = verify(image_bytes(colour="red"))
    uploads = [Upload("a", PICTURE), Upload("b", other), Upload("c", PICTURE)]
    batch = submit_batch(order, uploads)
    statuses = batch.predictions.order_by("batch_index").values_list("status", flat=True)
    assert list(statuses) == [Status.SUCCEEDED, Status.QUEUED, Status.SUCCEEDED]


def test_no_bell_rings_where_all_is_answered(order, broker, django_capture_on_commit_callbacks):
    ask(order)
    answer_waiting(variant="torch fp32")
    broker.flushdb()
    with django_capture_on_commit_callbacks(execute=True):
        ask(order)
    assert broker.llen("classify") == 0
    with django_capture_on_commit_callbacks(execute=True):
        ask(order, may_be_cached=False)
    assert broker.llen("classify") == 1


def test_an_image_that_is_new_costs_no_look_for_an_answer(order):
    with CaptureQueriesContext(connection) as fresh:
        submit(order, PICTURE, "cat.png")
    with CaptureQueriesContext(connection) as seen:
        submit(order, PICTURE, "cat.png")
    assert not any('"cached"' in query["sql"] for query in fresh if "SELECT" in query["sql"][:6])
    assert any('"cached"' in query["sql"] for query in seen if "SELECT" in query["sql"][:6])
