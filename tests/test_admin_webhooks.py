"""Staff see what was sent to whose webhooks, and send it again. Secrets they do not see."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from classifier.actions.webhooks import pause
from classifier.models import Delivery, DeliveryStatus, Endpoint, User
from tests.factories import DeliveryFactory, EndpointFactory, UserFactory

DELIVERIES = reverse("admin:classifier_delivery_changelist")
ENDPOINTS = reverse("admin:classifier_endpoint_changelist")


@pytest.fixture
def endpoint(db: None) -> Endpoint:
    return EndpointFactory(owner__username="ada", url="https://till.example/hook")


def redeliver(staff: Client, *deliveries: Delivery):
    keys = [str(delivery.pk) for delivery in deliveries]
    data = {"action": "redeliver_selected", "_selected_action": keys}
    return staff.post(DELIVERIES, data, follow=True)


def test_deliveries_are_listed_with_what_became_of_them(boss: Client, endpoint: Endpoint) -> None:
    DeliveryFactory(endpoint=endpoint, status=DeliveryStatus.FAILED, response_code=503, attempts=10)
    page = boss.get(DELIVERIES).text
    for shown in ("prediction.succeeded", "Failed", "https://till.example/hook", "503", "ada"):
        assert shown in page


def test_deliveries_are_found_by_state_owner_address_and_ids(
    boss: Client, endpoint: Endpoint
) -> None:
    failed = DeliveryFactory(endpoint=endpoint, status=DeliveryStatus.FAILED)
    other = DeliveryFactory()
    for query in (
        {"status__exact": "failed"},
        {"q": "ada"},
        {"q": "till.example"},
        {"q": str(failed.id)},
        {"q": str(endpoint.id)},
    ):
        page = boss.get(DELIVERIES, query).text
        assert str(failed.id) in page, query
        assert str(other.id) not in page, query


def test_a_list_of_any_length_costs_as_many_queries(
    boss: Client, endpoint: Endpoint, django_assert_max_num_queries
) -> None:
    DeliveryFactory.create_batch(30, endpoint=endpoint)
    with django_assert_max_num_queries(12):
        boss.get(DELIVERIES)


def test_a_delivery_and_its_message_can_be_looked_at_and_not_changed(
    boss: Client, endpoint: Endpoint
) -> None:
    delivery = DeliveryFactory(endpoint=endpoint, payload={"type": "<b>", "data": {}})
    path = reverse("admin:classifier_delivery_change", args=[delivery.pk])
    page = boss.get(path).text
    assert "&lt;b&gt;" in page
    assert delivery.message_id in page
    assert 'name="_save"' not in page
    assert boss.post(path, {"url": "https://8.8.8.8/"}).status_code == 403


def test_selected_ones_are_sent_again_except_to_the_paused(
    boss: Client, endpoint: Endpoint
) -> None:
    failed = DeliveryFactory(endpoint=endpoint, status=DeliveryStatus.FAILED, attempts=10)
    paused = DeliveryFactory(status=DeliveryStatus.FAILED, attempts=10)
    pause(paused.endpoint)
    page = redeliver(boss, failed, paused).text
    assert "1 message will be sent again." in page
    failed.refresh_from_db()
    paused.refresh_from_db()
    assert (failed.status, failed.attempts) == (DeliveryStatus.PENDING, 0)
    assert (paused.status, paused.attempts) == (DeliveryStatus.FAILED, 10)


def test_who_may_only_look_may_not_send(client: Client, endpoint: Endpoint) -> None:
    looker: User = UserFactory(is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    client.force_login(looker)
    failed = DeliveryFactory(endpoint=endpoint, status=DeliveryStatus.FAILED)
    assert client.get(DELIVERIES).status_code == 200
    redeliver(client, failed)
    failed.refresh_from_db()
    assert failed.status == DeliveryStatus.FAILED


def test_webhooks_are_listed_without_their_secrets(boss: Client, endpoint: Endpoint) -> None:
    path = reverse("admin:classifier_endpoint_change", args=[endpoint.pk])
    for page in (boss.get(ENDPOINTS).text, boss.get(path).text):
        assert "https://till.example/hook" in page
        assert endpoint.secret not in page
        assert "whsec_" not in page


def test_deleting_a_person_counts_and_takes_their_webhooks(
    boss: Client, endpoint: Endpoint
) -> None:
    DeliveryFactory.create_batch(3, endpoint=endpoint)
    path = reverse("admin:classifier_user_delete", args=[endpoint.owner_id])
    assert "Webhook deliveries: 3" in boss.get(path).text
    boss.post(path, {"post": "yes"})
    assert not Endpoint.objects.exists()
    assert not Delivery.objects.exists()
