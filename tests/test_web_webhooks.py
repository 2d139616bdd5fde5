"""The pages of one's webhooks: add, change, pause, test, look at what was sent, send it again."""

import html
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.actions.deliver import GONE
from classifier.actions.webhooks import MOST_ENDPOINTS, pause, rotate, send_test
from classifier.models import Delivery, DeliveryStatus, Endpoint, Event, User
from tests.factories import DeliveryFactory, EndpointFactory, PredictionFactory, UserFactory

PAGE = "/webhooks/"
COMPLETED, START = Event.COMPLETED.value, Event.START.value


def form(**fields: object) -> dict[str, object]:
    """What the page's form posts."""
    return {"url": "https://8.8.8.8/hook", "description": "till", "events": [COMPLETED], **fields}


def address(view: str, endpoint: Endpoint, *more: object) -> str:
    return reverse(view, args=[endpoint.id, *more])


def text_of(response) -> str:
    return html.unescape(response.content.decode())


@pytest.fixture
def endpoint(user: User) -> Endpoint:
    return EndpointFactory(owner=user, description="the till")


def test_the_page_without_a_webhook_offers_the_first_step(signed_in: Client) -> None:
    page = text_of(signed_in.get(PAGE))
    assert "No program is told of your predictions." in page
    assert "Add your first webhook" in page


def test_the_menu_leads_to_the_page(signed_in: Client) -> None:
    assert f'href="{PAGE}"' in text_of(signed_in.get("/about/"))


def test_a_webhook_is_added_and_its_secret_can_be_seen(signed_in: Client, user: User) -> None:
    response = signed_in.post(PAGE, form(events=[START, COMPLETED]))
    made = Endpoint.objects.get()
    assert response.url == address("webhook", made)
    assert (made.owner, made.url, made.description) == (user, "https://8.8.8.8/hook", "till")
    assert made.events == [COMPLETED, START]
    page = text_of(signed_in.get(response.url))
    assert made.secret in page
    assert "Nothing was sent yet." in page
    assert made.url in text_of(signed_in.get(PAGE))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "https://127.0.0.1/"}, "private or special network"),
        ({"url": "http://example.com/"}, "must begin with https://"),
        ({"url": "https://user:pass@example.com/"}, "must not hold a name or a password"),
        ({"url": "https://exa\x00mple.com/"}, "Null characters are not allowed"),
        ({"url": ""}, "This field is required."),
        ({"url": "https://example.com/" + "x" * 2000}, "at most 2000 characters"),
        ({"events": []}, "This field is required."),
        ({"events": ["dinner"]}, "not one of the available choices"),
        ({"description": "x" * 201}, "at most 200 characters"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason_and_what_was_typed(
    signed_in: Client, fields: dict[str, object], message: str
) -> None:
    response = signed_in.post(PAGE, form(**fields))
    assert response.status_code == 422
    assert message in text_of(response)
    assert "till" in text_of(response) or "description" in fields
    assert not Endpoint.objects.exists()


def test_nobody_has_more_than_a_number_of_webhooks(signed_in: Client, user: User) -> None:
    EndpointFactory.create_batch(MOST_ENDPOINTS, owner=user)
    response = signed_in.post(PAGE, form())
    assert response.status_code == 422
    assert "Delete one first." in text_of(response)
    assert user.endpoints.count() == MOST_ENDPOINTS


def test_editing_changes_what_is_there(signed_in: Client, endpoint: Endpoint) -> None:
    path = address("webhook_edit", endpoint)
    assert endpoint.url in text_of(signed_in.get(path))
    response = signed_in.post(path, form(events=[START]))
    endpoint.refresh_from_db()
    assert response.url == address("webhook", endpoint)
    assert (endpoint.url, endpoint.events) == ("https://8.8.8.8/hook", [START])


def test_editing_refuses_what_adding_does(signed_in: Client, endpoint: Endpoint) -> None:
    response = signed_in.post(address("webhook_edit", endpoint), form(url="https://[::1]/"))
    assert response.status_code == 422
    assert "private or special network" in text_of(response)
    before = endpoint.url
    endpoint.refresh_from_db()
    assert endpoint.url == before


def test_pausing_and_resuming(signed_in: Client, endpoint: Endpoint) -> None:
    signed_in.post(address("webhook_pause", endpoint))
    endpoint.refresh_from_db()
    assert not endpoint.is_enabled
    page = text_of(signed_in.get(address("webhook", endpoint)))
    assert "Nothing is sent while it is paused" in page
    assert "Send a test" not in page
    signed_in.post(address("webhook_resume", endpoint))
    endpoint.refresh_from_db()
    assert endpoint.is_enabled


def test_the_page_says_why_a_webhook_was_disabled(signed_in: Client, endpoint: Endpoint) -> None:
    pause(endpoint)
    Endpoint.objects.update(disabled_reason=GONE)
    for path in (PAGE, address("webhook", endpoint)):
        assert GONE in text_of(signed_in.get(path))


def test_a_test_is_owed_and_shown(signed_in: Client, endpoint: Endpoint) -> None:
    signed_in.post(address("webhook_test", endpoint))
    delivery = Delivery.objects.get()
    page = text_of(signed_in.get(address("webhook", endpoint)))
    assert "endpoint.test" in page
    assert delivery.message_id in page
    assert "hx-trigger" in page  # it looks again by itself until the attempt is made


def test_a_test_of_a_paused_one_is_refused(signed_in: Client, endpoint: Endpoint) -> None:
    pause(endpoint)
    response = signed_in.post(address("webhook_test", endpoint), follow=True)
    assert "Resume it first." in text_of(response)
    assert not Delivery.objects.exists()


def test_the_secret_is_replaced_once_however_often_the_form_is_sent(
    signed_in: Client, endpoint: Endpoint
) -> None:
    path = address("webhook_rotate", endpoint)
    assert "Replace the secret?" in text_of(signed_in.get(path))
    old = endpoint.secret
    for _ in range(2):
        response = signed_in.post(path, {"known_by": old[-8:]}, follow=True)
    endpoint.refresh_from_db()
    assert endpoint.secret != old
    assert endpoint.previous_secret == old
    assert "Nothing was replaced" in text_of(response)
    assert "The one before signs too until" in text_of(response)


def test_a_second_rotation_within_a_day_warns(signed_in: Client, endpoint: Endpoint) -> None:
    rotate(endpoint)
    page = text_of(signed_in.get(address("webhook_rotate", endpoint)))
    assert "replaced less than a day ago" in page


def test_deleting_asks_first_and_takes_the_deliveries(
    signed_in: Client, endpoint: Endpoint
) -> None:
    send_test(endpoint)
    path = address("webhook_delete", endpoint)
    assert endpoint.url in text_of(signed_in.get(path))
    assert Endpoint.objects.exists()
    response = signed_in.post(path, follow=True)
    assert "is told of nothing any more" in text_of(response)
    assert not Endpoint.objects.exists()
    assert not Delivery.objects.exists()


def test_a_delivery_shows_what_became_of_it(signed_in: Client, endpoint: Endpoint) -> None:
    prediction = PredictionFactory(succeeded=True, image__owner=endpoint.owner)
    due = timezone.now() + timedelta(hours=2)
    DeliveryFactory(
        endpoint=endpoint,
        prediction=prediction,
        attempts=4,
        response_code=503,
        error="It answered 503.",
        due_at=due,
    )
    page = text_of(signed_in.get(address("webhook", endpoint)))
    for shown in ("Pending", ">4<", ">503<", "It answered 503.", "Next attempt", '"label": "cat"'):
        assert shown in page
    assert f"/predictions/{prediction.id}/" in page
    assert "hx-trigger" not in page


def test_deliveries_come_in_pages(signed_in: Client, endpoint: Endpoint) -> None:
    made = DeliveryFactory.create_batch(45, endpoint=endpoint, status=DeliveryStatus.SUCCEEDED)
    path = address("webhook", endpoint)
    newest = text_of(signed_in.get(path))
    assert newest.count('id="delivery-') == 20
    assert f"delivery-{made[-1].id}" in newest
    older = text_of(signed_in.get(path, {"before": made[25].id}))
    assert f"delivery-{made[24].id}" in older
    assert f"delivery-{made[25].id}" not in older
    newer = text_of(signed_in.get(path, {"after": made[4].id}))
    assert f"delivery-{made[5].id}" in newer
    assert signed_in.get(path, {"before": "nonsense"}).status_code == 200


def test_a_delivery_is_sent_again(signed_in: Client, endpoint: Endpoint) -> None:
    delivery = DeliveryFactory(endpoint=endpoint, status=DeliveryStatus.FAILED, attempts=10)
    signed_in.post(address("webhook_redeliver", endpoint, delivery.id))
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.PENDING, 0)


def test_a_delivery_of_a_paused_one_is_not_sent_again(
    signed_in: Client, endpoint: Endpoint
) -> None:
    delivery = DeliveryFactory(endpoint=endpoint, status=DeliveryStatus.FAILED)
    pause(endpoint)
    path = address("webhook_redeliver", endpoint, delivery.id)
    assert "Resume it first." in text_of(signed_in.post(path, follow=True))
    assert "Deliver again" not in text_of(signed_in.get(address("webhook", endpoint)))


def test_what_goes_to_addresses_of_requests_has_a_page_with_its_secret(
    signed_in: Client, user: User
) -> None:
    response = signed_in.post(reverse("webhook_of_requests"))
    made = Endpoint.objects.get(owner=user, url="")
    DeliveryFactory(endpoint=made, url="https://once.example/")
    page = text_of(signed_in.get(response.url))
    assert made.secret in page
    assert "https://once.example/" in page
    assert "Pause" not in page
    assert signed_in.post(reverse("webhook_of_requests")).url == response.url
    assert "No program is told" in text_of(signed_in.get(PAGE))


@pytest.mark.parametrize("view", ["edit", "pause", "resume", "test", "delete"])
def test_what_goes_to_addresses_of_requests_cannot_be_managed(
    signed_in: Client, user: User, view: str
) -> None:
    made = EndpointFactory(owner=user, url="")
    assert signed_in.post(address(f"webhook_{view}", made), form()).status_code == 404
    made.refresh_from_db()
    assert made.is_enabled


@pytest.mark.parametrize(
    "view", ["", "_edit", "_pause", "_resume", "_rotate", "_test", "_delete", "_redeliver"]
)
def test_what_is_somebody_elses_is_not_there(boss: Client, view: str) -> None:
    theirs = EndpointFactory(owner=UserFactory())
    more = [DeliveryFactory(endpoint=theirs, attempts=3).id] if view == "_redeliver" else []
    path = address(f"webhook{view}", theirs, *more)
    assert boss.get(path).status_code in {404, 405}
    assert boss.post(path, form(known_by=theirs.secret[-8:])).status_code in {404, 405}
    before = (theirs.url, theirs.secret, theirs.disabled_at)
    theirs.refresh_from_db()
    assert (theirs.url, theirs.secret, theirs.disabled_at) == before
    assert set(Delivery.objects.values_list("attempts", flat=True)) <= {3}


def test_a_delivery_is_found_under_its_own_webhook_only(
    signed_in: Client, endpoint: Endpoint
) -> None:
    other = DeliveryFactory(endpoint=EndpointFactory(owner=endpoint.owner))
    path = address("webhook_redeliver", endpoint, other.id)
    assert signed_in.post(path).status_code == 404


@pytest.mark.parametrize("view", ["pause", "resume", "test"])
def test_what_changes_something_is_not_done_by_a_link(
    signed_in: Client, endpoint: Endpoint, view: str
) -> None:
    assert signed_in.get(address(f"webhook_{view}", endpoint)).status_code == 405


def test_pages_with_a_secret_are_not_kept_by_browsers(
    signed_in: Client, endpoint: Endpoint
) -> None:
    assert "no-store" in signed_in.get(address("webhook", endpoint))["Cache-Control"]


def test_strangers_are_sent_to_log_in(client: Client, db: None) -> None:
    assert client.get(PAGE).status_code == 302
