"""Who is owed a message when a prediction begins or ends, and what it says."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from classifier.actions.cancel import cancel_one
from classifier.actions.claim import claim
from classifier.actions.settle import Outcome, settle
from classifier.actions.submit import Order, submit
from classifier.actions.sweep import sweep
from classifier.actions.webhooks import pause
from classifier.images import verify
from classifier.models import Delivery, Endpoint, Event, Prediction, Status
from classifier.models.webhook import as_body
from tests.factories import EndpointFactory, PredictionFactory, UserFactory, image_bytes

CAT = [{"label": "cat", "score": 0.9}, {"label": "dog", "score": 0.1}]


def waiting(user, **fields):
    return PredictionFactory(image__owner=user, **fields)


def work(output=CAT, **outcome):
    """Claim what waits, and settle it."""
    claimed = claim(64)
    settle(
        claimed.lease,
        [Outcome(row.id, output, **outcome) for row in claimed.predictions],
        0.1,
        len(claimed.predictions),
    )


def types():
    return [delivery.type for delivery in Delivery.objects.order_by("id")]


@pytest.fixture
def endpoint(user):
    return EndpointFactory(owner=user)


def test_an_end_is_told_to_its_owners_endpoints_with_what_came_out(user, endpoint):
    prediction = waiting(user, metadata={"order": 7}, top_k=1)
    work()
    [delivery] = Delivery.objects.all()
    assert (delivery.endpoint, delivery.url) == (endpoint, endpoint.url)
    assert (delivery.prediction, delivery.type) == (prediction, "prediction.succeeded")
    assert delivery.payload["type"] == "prediction.succeeded"
    assert delivery.payload["data"] == {
        "id": str(prediction.id),
        "status": "succeeded",
        "model": prediction.model_version.name,
        "version": prediction.model_version.version,
        "batch": None,
        "output": CAT[:1],
        "error": None,
        "metadata": {"order": 7},
        "omitted": [],
    }


def test_a_failure_is_told_with_its_reason(user, endpoint):
    waiting(user)
    work(None, error_code="undecodable", error_detail="It is damaged.")
    [delivery] = Delivery.objects.all()
    assert delivery.type == "prediction.failed"
    assert delivery.payload["data"]["output"] is None
    assert delivery.payload["data"]["error"] == {"code": "undecodable", "detail": "It is damaged."}


def test_a_cancel_is_told(user, endpoint):
    assert cancel_one(waiting(user))
    assert types() == ["prediction.canceled"]


def test_what_the_sweep_ends_is_told(user, endpoint):
    past = timezone.now() - timedelta(seconds=1)
    waiting(user, expires_at=past)
    waiting(user, status=Status.RUNNING, lease=endpoint.id, lease_expires_at=past, attempts=3)
    sweep()
    assert types() == ["prediction.failed"] * 2


def test_a_start_is_told_to_those_who_asked_for_it(user, endpoint):
    endpoint.events = [Event.START.value]
    endpoint.save()
    waiting(user)
    work()
    [delivery] = Delivery.objects.all()
    assert delivery.type == "prediction.started"
    assert delivery.payload["data"]["status"] == "running"
    assert delivery.payload["data"]["output"] is None


def test_both_are_told_in_their_order_where_both_are_asked_for(user, endpoint):
    endpoint.events = [event.value for event in Event]
    endpoint.save()
    waiting(user)
    work()
    assert types() == ["prediction.started", "prediction.succeeded"]


def test_nothing_is_told_to_others_to_the_paused_or_to_those_who_asked_for_nothing(user, endpoint):
    EndpointFactory(owner=UserFactory())
    EndpointFactory(owner=user, events=[])
    pause(EndpointFactory(owner=user))
    waiting(user)
    work()
    assert [delivery.endpoint for delivery in Delivery.objects.all()] == [endpoint]


def test_a_batch_of_several_people_tells_each_their_own(user, endpoint):
    other = EndpointFactory()
    version = waiting(user).model_version
    waiting(user, model_version=version)
    waiting(other.owner, model_version=version)
    work()
    owners = Delivery.objects.values_list("endpoint__owner", "prediction__owner")
    assert sorted(owners) == sorted([(user.id, user.id)] * 2 + [(other.owner_id,) * 2])


def test_an_address_given_with_a_request_is_told_of_that_one_alone(user, serving):
    order = Order(
        user, serving, webhook_url="https://once.example/", webhook_events=(Event.COMPLETED.value,)
    )
    asked = submit(order, verify(image_bytes()), "a.png")
    submit(Order(user, serving), verify(image_bytes()), "a.png")
    work()
    [delivery] = Delivery.objects.all()
    assert (delivery.prediction, delivery.url) == (asked, "https://once.example/")
    assert delivery.endpoint == Endpoint.objects.get(owner=user, url="")


def test_an_address_given_with_a_request_hears_what_it_asked_for(user, serving):
    order = Order(
        user, serving, webhook_url="https://once.example/", webhook_events=(Event.START.value,)
    )
    submit(order, verify(image_bytes()), "a.png")
    work()
    assert types() == ["prediction.started"]


def test_both_the_endpoints_and_the_address_of_the_request_are_told(user, serving, endpoint):
    order = Order(
        user, serving, webhook_url="https://once.example/", webhook_events=(Event.COMPLETED.value,)
    )
    submit(order, verify(image_bytes()), "a.png")
    work()
    urls = set(Delivery.objects.values_list("url", flat=True))
    assert urls == {"https://once.example/", endpoint.url}


def long_labels(count):
    return [{"label": f"label {i} {'x' * 80}", "score": 0.5} for i in range(count)]


def test_what_would_be_too_long_goes_without_its_metadata_first(user, endpoint):
    waiting(user, metadata={"note": "ä" * 5000}, top_k=100)
    work(long_labels(100))
    [delivery] = Delivery.objects.all()
    assert len(as_body(delivery.payload)) < 20_000
    assert delivery.payload["data"]["metadata"] is None
    assert len(delivery.payload["data"]["output"]) == 100
    assert delivery.payload["data"]["omitted"] == ["metadata"]


def test_what_is_too_long_still_goes_without_its_output_too(user, endpoint):
    prediction = waiting(user, metadata={"note": "x"}, top_k=1000)
    work(long_labels(1000))
    [delivery] = Delivery.objects.all()
    data = delivery.payload["data"]
    assert len(as_body(delivery.payload)) < 20_000
    assert (data["output"], data["omitted"]) == (None, ["metadata", "output"])
    assert (data["id"], data["status"]) == (str(prediction.id), "succeeded")


def test_an_error_of_any_length_fits(user, endpoint):
    waiting(user)
    work(None, error_code="odd", error_detail="x" * 30_000)
    [delivery] = Delivery.objects.all()
    assert len(as_body(delivery.payload)) < 20_000
    assert delivery.payload["data"]["omitted"] == ["error"]


@pytest.mark.parametrize("length", range(19_000, 19_800, 7))
def test_the_limit_is_kept_to_the_byte(user, endpoint, length):
    """Either all of it, or it is short: nothing is left out that would have fitted."""
    waiting(user, metadata={"note": "x" * length})
    work()
    [delivery] = Delivery.objects.all()
    size = len(as_body(delivery.payload))
    omitted = delivery.payload["data"]["omitted"]
    assert size < 20_000
    assert omitted == ([] if size > 10_000 else ["metadata"])


def test_people_without_endpoints_cost_one_query_a_batch(user, django_assert_num_queries):
    version = waiting(user).model_version
    for _ in range(9):
        waiting(user, model_version=version)
    claimed = claim(64)
    outcomes = [Outcome(row.id, CAT) for row in claimed.predictions]
    with django_assert_num_queries(4):  # savepoint, write, ask for endpoints, release
        settle(claimed.lease, outcomes, 0.1, 10)


@pytest.mark.django_db(transaction=True)
def test_the_bell_rings_when_the_end_can_be_seen(user, endpoint, broker):
    waiting(user)
    claimed = claim(64)
    with transaction.atomic():
        settle(claimed.lease, [Outcome(claimed.predictions[0].id, CAT)], 0.1, 1)
        assert broker.llen("deliver") == 0
    assert broker.llen("deliver") == 1


@pytest.mark.django_db(transaction=True)
def test_an_end_that_is_rolled_back_is_told_to_nobody(user, endpoint, broker):
    waiting(user)
    claimed = claim(64)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        settle(claimed.lease, [Outcome(claimed.predictions[0].id, CAT)], 0.1, 1)
        1 / 0  # noqa: B018
    assert not Delivery.objects.exists()
    assert broker.llen("deliver") == 0


def test_a_late_settle_tells_nothing_twice(user, endpoint):
    waiting(user)
    claimed = claim(64)
    outcomes = [Outcome(claimed.predictions[0].id, CAT)]
    assert settle(claimed.lease, outcomes, 0.1, 1) == 1
    assert settle(claimed.lease, outcomes, 0.1, 1) == 0
    assert types() == ["prediction.succeeded"]
    assert Prediction.objects.get().status == Status.SUCCEEDED
