"""Who may do what: every address and verb of the API, by table."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from classifier.actions.tokens import issue
from classifier.models import Batch, Delivery, Endpoint, ModelVersion, Prediction, Scope, User
from tests.factories import PredictionFactory, UserFactory

READ, WRITE = Scope.PREDICTIONS_READ, Scope.PREDICTIONS_WRITE
ANY = None  # any credentials will do
PUBLIC = "public"
PAGE = "page"  # for people, who are sent to sign in

# Address, verb, and the scope that it needs.
RULES = {
    ("api:root", "GET"): ANY,
    ("api:schema", "GET"): ANY,
    ("api:docs", "GET"): PAGE,
    ("api:me", "GET"): ANY,
    ("api:problems", "GET"): PUBLIC,
    ("api:problem", "GET"): PUBLIC,
    ("api:predictions", "GET"): READ,
    ("api:predictions", "POST"): WRITE,
    ("api:prediction", "GET"): READ,
    ("api:prediction", "DELETE"): WRITE,
    ("api:prediction_image", "GET"): READ,
    ("api:cancel", "POST"): WRITE,
    ("api:rerun", "POST"): WRITE,
    ("api:review", "POST"): Scope.REVIEW_WRITE,
    ("api:batches", "GET"): READ,
    ("api:batch", "GET"): READ,
    ("api:batch", "DELETE"): WRITE,
    ("api:batch_results", "GET"): READ,
    ("api:cancel_batch", "POST"): WRITE,
    ("api:models", "GET"): Scope.MODELS_READ,
    ("api:model", "GET"): Scope.MODELS_READ,
    ("api:model", "POST"): WRITE,
    ("api:version", "GET"): Scope.MODELS_READ,
    ("api:version", "POST"): WRITE,
    ("api:webhooks", "GET"): READ,
    ("api:webhooks", "POST"): WRITE,
    ("api:webhook_default", "GET"): WRITE,
    ("api:webhook", "GET"): READ,
    ("api:webhook", "PATCH"): WRITE,
    ("api:webhook", "DELETE"): WRITE,
    ("api:webhook_secret", "GET"): WRITE,
    ("api:webhook_rotate", "POST"): WRITE,
    ("api:webhook_test", "POST"): WRITE,
    ("api:deliveries", "GET"): READ,
    ("api:delivery", "GET"): READ,
    ("api:redeliver", "POST"): WRITE,
    ("api:predict", "POST"): WRITE,
    ("oip:server", "GET"): Scope.MODELS_READ,
    ("oip:live", "GET"): PUBLIC,
    ("oip:ready", "GET"): PUBLIC,
    ("oip:model", "GET"): Scope.MODELS_READ,
    ("oip:model_version", "GET"): Scope.MODELS_READ,
    ("oip:model_ready", "GET"): Scope.MODELS_READ,
    ("oip:model_version_ready", "GET"): Scope.MODELS_READ,
    ("oip:infer", "POST"): WRITE,
    ("oip:infer_version", "POST"): WRITE,
}
GUARDED = {rule: scope for rule, scope in RULES.items() if scope not in {PUBLIC, PAGE}}
SCOPED = {rule: scope for rule, scope in GUARDED.items() if scope is not ANY}
# Those that name something of one's own. Staff review everybody's.
OWN = {
    *("prediction", "prediction_image", "cancel", "rerun"),
    *("batch", "batch_results", "cancel_batch"),
    *("webhook", "webhook_secret", "webhook_rotate", "webhook_test"),
    *("deliveries", "delivery", "redeliver"),
}
OWNED = [(name, verb) for name, verb in GUARDED if name.removeprefix("api:") in OWN]
LISTS = ["api:predictions", "api:batches", "api:webhooks"]

by_rule = pytest.mark.parametrize(
    ("name", "verb"), list(GUARDED), ids=lambda part: str(part).replace(":", "-")
)


@pytest.fixture
def theirs(serving: ModelVersion) -> dict[str, Any]:
    """What somebody else has: a prediction in a batch, and an endpoint with a delivery."""
    owner = UserFactory(username="somebody-else")
    batch = Batch.objects.create(owner=owner, size=1)
    prediction = PredictionFactory(
        succeeded=True, model_version=serving, image__owner=owner, batch=batch
    )
    endpoint = Endpoint.objects.create(owner=owner, url="https://example.com/hook")
    delivery = Delivery.objects.create(
        endpoint=endpoint, prediction=prediction, url=endpoint.url, type="test", payload={}
    )
    return {
        "prediction": prediction,
        "batch": batch,
        "webhook": endpoint,
        "delivery": delivery,
        "version": serving,
    }


def address_of(name: str, things: dict[str, Any]) -> str:
    route = routes()[name]
    key = things["prediction"]
    if "batch" in name:
        key = things["batch"]
    if "webhook" in name or "deliver" in name:
        key = things["webhook"]
    values = {
        "key": key.id,
        "delivery_key": things["delivery"].id,
        "slug": "not_found",
        "name": things["version"].name,
        "version": things["version"].version,
    }
    return reverse(name, kwargs={part: values[part] for part in route})


def routes() -> dict[str, list[str]]:
    """Every named address of the API, with the parts that vary."""
    return dict(_routes(get_resolver().url_patterns, ""))


def _routes(patterns: Any, namespace: str) -> Iterator[tuple[str, list[str]]]:
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            inside = getattr(pattern, "namespace", None) or namespace
            yield from _routes(pattern.url_patterns, inside)
        elif namespace in {"api", "oip"} and pattern.name:
            yield f"{namespace}:{pattern.name}", list(pattern.pattern.converters)


def token_of(user: User, *scopes: Scope) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue(user, 'test', scopes)[1]}"}


def call(client: Client, verb: str, address: str, headers: dict[str, str] | None = None) -> Any:
    return client.generic(verb, address, b"{}", "application/json", headers=headers or {})


def test_the_table_names_every_address():
    assert {name for name, _ in RULES} == set(routes())


@pytest.mark.parametrize("name", sorted({name for name, _ in RULES}))
def test_the_table_names_every_verb(client, theirs, staff, name):
    verbs = {verb for rule, verb in RULES if rule == name}
    answer = call(client, "OPTIONS", address_of(name, theirs), token_of(staff, *Scope))
    if answer.has_header("Allow"):
        assert set(answer["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == verbs


@by_rule
def test_a_stranger_is_refused_with_401_and_told_how_to_identify(client, theirs, name, verb):
    answer = call(client, verb, address_of(name, theirs))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


@by_rule
def test_a_wrong_token_is_refused_with_401(client, theirs, name, verb):
    headers = {"Authorization": "Bearer slt_made-up"}
    assert call(client, verb, address_of(name, theirs), headers).status_code == 401


@pytest.mark.parametrize(
    ("name", "verb"), list(SCOPED), ids=lambda part: str(part).replace(":", "-")
)
def test_a_token_with_every_other_scope_is_refused_with_403(client, theirs, staff, name, verb):
    needed = SCOPED[name, verb]
    headers = token_of(staff, *(scope for scope in Scope if scope != needed))
    answer = call(client, verb, address_of(name, theirs), headers)
    assert answer.status_code == 403
    assert needed.value in answer.content.decode(), "it says which scope is missing"


@by_rule
def test_the_one_scope_that_is_needed_is_enough(client, theirs, staff, name, verb):
    scope = GUARDED[name, verb]
    headers = token_of(staff, *([scope] if scope else []))
    assert call(client, verb, address_of(name, theirs), headers).status_code not in {401, 403}


@pytest.mark.parametrize(("name", "verb"), OWNED, ids=lambda part: str(part).replace(":", "-"))
@pytest.mark.parametrize("who", ["user", "staff"])
def test_what_is_somebody_elses_is_not_there(client, theirs, request, who, name, verb):
    headers = token_of(request.getfixturevalue(who), *Scope)
    assert call(client, verb, address_of(name, theirs), headers).status_code == 404
    assert Prediction.objects.filter(id=theirs["prediction"].id).exists()
    assert Endpoint.objects.enabled().filter(id=theirs["webhook"].id).exists()


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("who", ["user", "staff"])
def test_a_list_never_shows_what_is_somebody_elses(client, theirs, request, who, name):
    headers = token_of(request.getfixturevalue(who), *Scope)
    answer = call(client, "GET", reverse(name), headers)
    assert answer.status_code == 200
    for thing in ("prediction", "batch", "webhook"):
        assert str(theirs[thing].id) not in answer.content.decode()


def test_a_prediction_of_somebody_elses_batch_is_not_listed_by_its_filter(client, theirs, user):
    address = f"{reverse('api:predictions')}?batch={theirs['batch'].id}"
    assert call(client, "GET", address, token_of(user, *Scope)).json()["results"] == []


def test_only_staff_review_even_with_the_scope(client, theirs, user):
    address = address_of("api:review", theirs)
    assert call(client, "POST", address, token_of(user, *Scope)).status_code == 403


def test_the_page_of_the_api_sends_strangers_to_sign_in(client, theirs):
    assert call(client, "GET", reverse("api:docs")).url == "/login/?next=/api/v1/docs/"


def test_an_ordinary_scope_opens_no_page(client, theirs, user):
    answer = client.get("/predictions/", headers=token_of(user, *Scope))
    assert answer.status_code == 302, "tokens are for the API, pages want a session"
