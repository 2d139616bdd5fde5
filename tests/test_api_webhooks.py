"""Webhooks through the API: managed, tested, looked at, and nobody else's."""

import io

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from jsonschema import Draft202012Validator

from classifier.actions.claim import claim
from classifier.actions.deliver import claim_due
from classifier.actions.settle import Outcome, settle
from classifier.actions.webhooks import MOST_ENDPOINTS, pause
from classifier.models import Delivery, DeliveryStatus, Endpoint, Event, Scope, User
from tests.api import caller
from tests.factories import DeliveryFactory, EndpointFactory, PredictionFactory, UserFactory

WEBHOOKS = "/api/v1/webhooks/"
HOOK = "https://8.8.8.8/hook"
JSON = "application/json"


@pytest.fixture(scope="module")
def schemas() -> dict:
    out = io.StringIO()
    call_command("spectacular", stdout=out)
    return yaml.safe_load(out.getvalue())["components"]


@pytest.fixture
def program(user: User) -> Client:
    return caller(user)


@pytest.fixture
def endpoint(user: User) -> Endpoint:
    return EndpointFactory(owner=user)


def of(endpoint: Endpoint, *more: object) -> str:
    return WEBHOOKS + "".join(f"{part}/" for part in (endpoint.id, *more))


def conforms(body: object, schemas: dict, name: str) -> bool:
    """Whether a body is as the OpenAPI document says, with no member that it does not know."""
    known = schemas["schemas"][name]["properties"].keys()
    schema = {"$ref": f"#/components/schemas/{name}", "components": schemas}
    Draft202012Validator(schema).validate(body)
    return body.keys() == known


def test_a_webhook_is_added_and_tells_its_secret_once(
    program: Client, user: User, schemas: dict
) -> None:
    wanted = {"url": HOOK, "description": "till", "events": ["start", "completed"]}
    response = program.post(WEBHOOKS, wanted, JSON)
    made = Endpoint.objects.get(owner=user)
    body = response.json()
    assert response.status_code == 201
    assert conforms(body, schemas, "EndpointWithSecret")
    assert response["Location"] == body["urls"]["get"] == f"http://testserver{of(made)}"
    assert body["secret"] == made.secret
    assert (body["url"], body["description"]) == (HOOK, "till")
    assert body["events"] == ["completed", "start"]
    assert body["enabled"] is True
    again = program.get(response["Location"]).json()
    assert conforms(again, schemas, "Endpoint")
    assert made.secret not in str(again)
    [listed] = program.get(WEBHOOKS).json()["results"]
    assert listed == again


def test_an_address_is_all_that_is_needed(program: Client) -> None:
    body = program.post(WEBHOOKS, {"url": HOOK}, JSON).json()
    assert (body["events"], body["description"], body["enabled"]) == (["completed"], "", True)


def test_a_webhook_can_be_added_paused(program: Client) -> None:
    body = program.post(WEBHOOKS, {"url": HOOK, "enabled": False}, JSON).json()
    assert body["enabled"] is False
    assert not Endpoint.objects.get().is_enabled


@pytest.mark.parametrize(
    ("wrong", "pointer", "code"),
    [
        ({"url": "https://127.0.0.1/"}, "/url", "refused_address"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "/url", "refused_address"),
        ({"url": "https://0x7f000001/"}, "/url", "refused_address"),
        ({"url": "http://8.8.8.8/"}, "/url", "refused_address"),
        ({"url": "https://8.8.8.8:99999/"}, "/url", "refused_address"),
        ({"url": " https://8.8.8.8/"}, "/url", "refused_address"),
        ({"url": "https://8.8.8.8/\r\n"}, "/url", "refused_address"),
        ({"url": "https://8.8.8.8/" + "x" * 2000}, "/url", "max_length"),
        ({"url": ""}, "/url", "blank"),
        ({"url": None}, "/url", "null"),
        ({"url": 10**400}, "/url", "invalid"),
        ({"url": ["https://8.8.8.8/"]}, "/url", "invalid"),
        ({"description": 7}, "/description", "invalid"),
        ({"description": "x" * 201}, "/description", "max_length"),
        ({"events": []}, "/events", "empty"),
        ({"events": "start"}, "/events", "not_a_list"),
        ({"events": ["dinner"]}, "/events/0", "invalid_choice"),
        ({"events": ["start", {}]}, "/events/1", "invalid_choice"),
        ({"enabled": "yes"}, "/enabled", "invalid"),
        ({"enabled": 1}, "/enabled", "invalid"),
        ({"enabled": None}, "/enabled", "null"),
        ({"event": ["start"]}, "/event", "unknown"),
        ({"secret": "whsec_mine"}, "/secret", "unknown"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is(
    program: Client, endpoint: Endpoint, wrong: dict, pointer: str, code: str
) -> None:
    added = program.post(WEBHOOKS, {"url": HOOK, **wrong}, JSON)
    changed = program.patch(of(endpoint), wrong, JSON)
    for response in (added, changed):
        assert response.status_code == 422, response.content
        assert response["Content-Type"] == "application/problem+json"
        assert {"pointer": pointer, "code": code}.items() <= response.json()["errors"][0].items()
    assert Endpoint.objects.get().url == endpoint.url


@pytest.mark.parametrize("body", [b"[]", b"7", b'"x"', b"null", b"true"])
def test_a_body_that_is_no_object_is_refused(program: Client, body: bytes) -> None:
    assert program.post(WEBHOOKS, body, JSON).status_code == 422


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b'{"url": NaN}', b'{"url": "https://\\u0000"}', b'{"description": "\\ud800"}'],
)
def test_a_body_that_is_no_json_is_refused(program: Client, body: bytes) -> None:
    assert program.post(WEBHOOKS, body, JSON).status_code == 400


def test_nobody_has_more_than_a_number_of_webhooks(program: Client, user: User) -> None:
    EndpointFactory.create_batch(MOST_ENDPOINTS, owner=user)
    response = program.post(WEBHOOKS, {"url": HOOK}, JSON)
    assert (response.status_code, response.json()["code"]) == (409, "too_many_webhooks")
    assert str(MOST_ENDPOINTS) in response.json()["detail"]


def test_a_change_changes_what_it_names(program: Client, endpoint: Endpoint) -> None:
    pending = DeliveryFactory(endpoint=endpoint)
    body = program.patch(of(endpoint), {"url": HOOK}, JSON).json()
    assert (body["url"], body["events"], body["enabled"]) == (HOOK, ["completed"], True)
    pending.refresh_from_db()
    assert pending.url == HOOK
    body = program.patch(of(endpoint), {"description": "x", "events": ["start"]}, JSON).json()
    assert (body["url"], body["description"], body["events"]) == (HOOK, "x", ["start"])
    assert program.patch(of(endpoint), {}, JSON).json() == body


def test_a_webhook_is_paused_and_resumed(program: Client, endpoint: Endpoint) -> None:
    paused = program.patch(of(endpoint), {"enabled": False}, JSON).json()
    assert paused["enabled"] is False
    assert paused["disabled_at"]
    Endpoint.objects.update(disabled_reason="It answered 410.")
    assert program.get(of(endpoint)).json()["disabled_reason"] == "It answered 410."
    resumed = program.patch(of(endpoint), {"enabled": True}, JSON).json()
    assert (resumed["enabled"], resumed["disabled_at"]) == (True, None)
    assert resumed["disabled_reason"] is None


def test_a_webhook_is_deleted_with_what_was_sent(program: Client, endpoint: Endpoint) -> None:
    DeliveryFactory(endpoint=endpoint)
    assert program.delete(of(endpoint)).status_code == 204
    assert not Endpoint.objects.exists()
    assert not Delivery.objects.exists()
    assert program.delete(of(endpoint)).status_code == 404


def test_the_secret_is_shown_and_replaced(
    program: Client, endpoint: Endpoint, schemas: dict
) -> None:
    shown = program.get(of(endpoint, "secret")).json()
    assert conforms(shown, schemas, "Secret")
    assert shown == {
        "secret": endpoint.secret,
        "previous_secret": None,
        "previous_secret_until": None,
    }
    rotated = program.post(of(endpoint, "rotate")).json()
    assert conforms(rotated, schemas, "Secret")
    assert rotated["secret"] != endpoint.secret
    assert rotated["previous_secret"] == endpoint.secret
    assert program.get(of(endpoint, "secret")).json() == rotated


def test_what_signs_for_addresses_of_requests_is_made_when_it_is_asked_for(
    program: Client, user: User, schemas: dict
) -> None:
    body = program.get(f"{WEBHOOKS}default/").json()
    made = Endpoint.objects.get(owner=user, url="")
    assert conforms(body, schemas, "EndpointWithSecret")
    assert (body["url"], body["secret"]) == (None, made.secret)
    assert program.get(f"{WEBHOOKS}default/").json() == body
    for name in ("get", "secret", "deliveries"):
        assert program.get(body["urls"][name]).status_code == 200
    assert body["urls"]["test"] is None
    assert program.get(WEBHOOKS).json()["results"] == []
    for refused in (program.get, program.delete):
        assert refused(of(made)).status_code == 404
    assert program.post(of(made, "test")).status_code == 404


def test_a_test_is_owed_and_nothing_is_sent_meanwhile(
    program: Client, endpoint: Endpoint, schemas: dict
) -> None:
    response = program.post(of(endpoint, "test"))
    assert response.status_code == 202
    assert conforms(response.json(), schemas, "Delivery")
    delivery = Delivery.objects.get()
    assert (delivery.type, delivery.attempts) == ("endpoint.test", 0)
    assert response.json()["message_id"] == delivery.message_id
    assert program.get(response.json()["urls"]["get"]).json() == response.json()


def test_what_was_sent_is_told(program: Client, endpoint: Endpoint, schemas: dict) -> None:
    prediction = PredictionFactory(succeeded=True, image__owner=endpoint.owner)
    DeliveryFactory(
        endpoint=endpoint,
        prediction=prediction,
        status=DeliveryStatus.SUCCEEDED,
        attempts=2,
        response_code=204,
        attempted_at=timezone.now(),
        completed_at=timezone.now(),
    )
    DeliveryFactory(endpoint=endpoint, attempts=1, error="It answered 500.", response_code=500)
    newest, oldest = program.get(of(endpoint, "deliveries")).json()["results"]
    assert conforms(newest, schemas, "Delivery")
    assert conforms(oldest, schemas, "Delivery")
    assert (newest["status"], newest["error"]) == ("pending", "It answered 500.")
    assert newest["next_attempt_at"]
    assert (oldest["status"], oldest["attempts"], oldest["response_code"]) == ("succeeded", 2, 204)
    assert (oldest["next_attempt_at"], oldest["error"]) == (None, None)
    assert program.get(oldest["urls"]["prediction"]).status_code == 200


def test_deliveries_are_found_by_their_state(program: Client, endpoint: Endpoint) -> None:
    for status in DeliveryStatus:
        DeliveryFactory(endpoint=endpoint, status=status)
    path = of(endpoint, "deliveries")
    found = program.get(path, {"status": ["failed", "pending"]}).json()["results"]
    assert [delivery["status"] for delivery in found] == ["failed", "pending"]
    assert program.get(path, {"status": "lost"}).status_code == 422
    assert program.get(path, {"state": "failed"}).status_code == 422


def test_deliveries_come_in_pages(program: Client, endpoint: Endpoint) -> None:
    made = DeliveryFactory.create_batch(5, endpoint=endpoint)
    url, seen = f"{of(endpoint, 'deliveries')}?page_size=2", []
    while url:
        page = program.get(url).json()
        seen += [delivery["id"] for delivery in page["results"]]
        url = page["next"]
    assert seen == [str(delivery.id) for delivery in reversed(made)]


def test_a_message_is_sent_again(program: Client, endpoint: Endpoint) -> None:
    delivery = DeliveryFactory(endpoint=endpoint, status=DeliveryStatus.FAILED, attempts=10)
    response = program.post(of(endpoint, "deliveries", delivery.id, "redeliver"))
    assert response.status_code == 202
    assert (response.json()["status"], response.json()["attempts"]) == ("pending", 0)


def test_what_is_being_sent_is_not_sent_again(program: Client, endpoint: Endpoint) -> None:
    delivery = DeliveryFactory(endpoint=endpoint)
    claim_due(endpoint.id, 1)
    response = program.post(of(endpoint, "deliveries", delivery.id, "redeliver"))
    assert (response.status_code, response.json()["code"]) == (409, "being_sent")


def test_nothing_is_sent_to_what_is_paused(program: Client, endpoint: Endpoint) -> None:
    delivery = DeliveryFactory(endpoint=endpoint, status=DeliveryStatus.FAILED)
    pause(endpoint)
    for path in (of(endpoint, "test"), of(endpoint, "deliveries", delivery.id, "redeliver")):
        response = program.post(path)
        assert (response.status_code, response.json()["code"]) == (409, "webhook_paused")


def test_every_payload_is_as_the_schema_describes_it(user: User, schemas: dict) -> None:
    EndpointFactory(owner=user, events=Event.values)
    PredictionFactory(image__owner=user, metadata={"a": 1})
    claimed = claim(1)
    settle(
        claimed.lease, [Outcome(claimed.predictions[0].id, [{"label": "cat", "score": 1.0}])], 1, 1
    )
    payloads = list(Delivery.objects.values_list("payload", flat=True))
    assert len(payloads) == 2
    for payload in payloads:
        assert conforms(payload, schemas, "Message")
        assert conforms(payload["data"], schemas, "MessageData")


READ, WRITE = Scope.PREDICTIONS_READ, Scope.PREDICTIONS_WRITE
CALLS = [
    ("get", "", READ),
    ("post", "", WRITE),
    ("get", "default/", WRITE),
    ("get", "{endpoint}/", READ),
    ("patch", "{endpoint}/", WRITE),
    ("delete", "{endpoint}/", WRITE),
    ("get", "{endpoint}/secret/", WRITE),
    ("post", "{endpoint}/rotate/", WRITE),
    ("post", "{endpoint}/test/", WRITE),
    ("get", "{endpoint}/deliveries/", READ),
    ("get", "{endpoint}/deliveries/{delivery}/", READ),
    ("post", "{endpoint}/deliveries/{delivery}/redeliver/", WRITE),
]


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
def test_each_call_needs_credentials_its_scope_and_ones_own(
    client: Client, user: User, method: str, path: str, scope: Scope
) -> None:
    theirs = DeliveryFactory(endpoint__owner=UserFactory(is_staff=True))
    path = WEBHOOKS + path.format(endpoint=theirs.endpoint_id, delivery=theirs.id)

    def call(program: Client):
        return getattr(program, method)(path, {}, JSON) if method != "get" else program.get(path)

    assert call(client).status_code == 401
    others = [other for other in Scope if other not in {scope, Scope.REVIEW_WRITE}]
    refused = call(caller(user, *others))
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    allowed = call(caller(user, scope))
    if str(theirs.endpoint_id) in path:
        assert allowed.status_code == 404
    elif method == "get":
        assert str(theirs.endpoint_id) not in allowed.text
    theirs.refresh_from_db()
    assert theirs.attempts == 0
    assert theirs.endpoint.secret == Endpoint.objects.get(id=theirs.endpoint_id).secret


def test_a_delivery_is_found_under_its_own_webhook_only(
    program: Client, endpoint: Endpoint
) -> None:
    other = DeliveryFactory(endpoint=EndpointFactory(owner=endpoint.owner))
    assert program.get(of(endpoint, "deliveries", other.id)).status_code == 404
    assert program.post(of(endpoint, "deliveries", other.id, "redeliver")).status_code == 404
