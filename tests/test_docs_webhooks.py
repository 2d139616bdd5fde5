"""What docs/webhooks.md says is so, and its code works as it stands."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client
from django.urls import Resolver404, resolve

from classifier.actions.deliver import KEPT, PAUSES
from classifier.actions.webhooks import MOST_ENDPOINTS, rotate, send_test
from classifier.models import Delivery, DeliveryStatus, Endpoint, User
from classifier.worker import sending
from classifier.worker.deliver import AT_ONCE_OF_ONE, deliver_due
from classifier.worker.messages import message_of
from tests.api import caller
from tests.factories import DeliveryFactory, EndpointFactory, PredictionFactory
from tests.test_webhook_announcing import work

PAGE = (configured.BASE_DIR / "docs" / "webhooks.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


RECEIVER, BY_HAND = blocks("python")


def is_genuine(secret: str, headers: dict[str, str], body: bytes) -> bool:
    names: dict[str, Any] = {}
    exec(compile(BY_HAND, "docs/webhooks.md", "exec"), names)
    return bool(names["is_genuine"](secret, headers, body))


def attempt_until_taken(delivery: Delivery) -> None:
    """The receiver takes a moment to start."""
    deadline = time.monotonic() + 20
    while delivery.status == DeliveryStatus.PENDING:
        assert time.monotonic() < deadline, delivery.error
        Delivery.objects.update(due_at=delivery.created_at)
        deliver_due()
        delivery.refresh_from_db()
        time.sleep(0.1)


def test_the_receiver_takes_what_is_genuine(user: User, free_port: int, settings) -> None:
    settings.WEBHOOK_ALLOWED = (ip_network("127.0.0.0/8"),)
    endpoint = EndpointFactory(owner=user, url=f"http://127.0.0.1:{free_port}/")
    environment = {**os.environ, "WEBHOOK_SECRET": endpoint.secret, "PORT": str(free_port)}
    process = subprocess.Popen(
        [sys.executable, "-c", RECEIVER],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        genuine = send_test(endpoint)
        attempt_until_taken(genuine)
        Endpoint.objects.update(secret="whsec_" + "A" * 32)
        forged = send_test(endpoint)
        deliver_due()
        forged.refresh_from_db()
    finally:
        process.kill()
        output = process.communicate()[0]
    assert genuine.response_code == 204
    assert f"{genuine.message_id} endpoint.test {genuine.payload['data']}" in output
    assert forged.response_code == 401
    assert forged.message_id not in output


def test_checking_by_hand_finds_what_is_genuine_and_nothing_else(db: None) -> None:
    delivery = DeliveryFactory()
    secret = delivery.endpoint.secret
    rotate(delivery.endpoint)
    message = message_of(delivery)
    for good in (secret, delivery.endpoint.secret):
        assert is_genuine(good, message.headers, message.body)
    assert not is_genuine("whsec_" + "A" * 32, message.headers, message.body)
    assert not is_genuine(secret, message.headers, message.body + b" ")
    old = {**message.headers, "webhook-timestamp": "1700000000"}
    assert not is_genuine(secret, old, message.body)


@pytest.mark.parametrize("block", blocks("sh"))
def test_the_calls_are_calls_of_the_api(user: User, serving, block: str) -> None:
    """As curl would make them; tests/test_docs_api.py shows that it does."""
    words = shlex.split(block.replace("$SIGHTLINE_ADDRESS", ""))
    path, program = words[-1], caller(user)
    data = [words[i + 1] for i, word in enumerate(words) if word == "-d"]
    fields = dict(words[i + 1].split("=", 1) for i, word in enumerate(words) if word == "-F")
    if data:
        response = program.post(path, data[0], "application/json")
    elif fields:
        image = configured.BASE_DIR / "classifier" / "bundled" / "samples" / "ship.jpg"
        with image.open("rb") as file:
            response = program.post(path, {**fields, "image": file})
    else:
        response = program.get(path)
    assert response.status_code in {200, 201, 202}, response.content
    if "secret" in response.json():
        assert response.json()["secret"].startswith("whsec_")


def test_the_message_that_the_page_shows_has_the_members_of_a_real_one(user: User) -> None:
    EndpointFactory(owner=user)
    PredictionFactory(image__owner=user)
    work()
    [shown] = map(json.loads, blocks("json"))
    real = Delivery.objects.get().payload
    assert shown.keys() == real.keys()
    assert list(shown["data"]) == list(real["data"]) or set(shown["data"]) == set(real["data"])
    assert shown["data"]["output"][0].keys() == real["data"]["output"][0].keys()


def test_the_table_of_attempts_is_the_one_that_is_kept_to() -> None:
    seconds = {"seconds": 1, "minutes": 60, "hours": 3600}
    rows = re.findall(r"^\| (\d+) \| (\d+) (\w+) \|$", PAGE, re.MULTILINE)
    assert [int(n) * seconds[unit] for _, n, unit in rows] == [p.total_seconds() for p in PAUSES]
    assert [int(attempt) for attempt, *_ in rows] == list(range(2, len(PAUSES) + 2))


def test_the_numbers_are_right() -> None:
    assert sum(pause.total_seconds() for pause in PAUSES) / 86400 == pytest.approx(3.2, abs=0.2)
    assert f"in {sending.SECONDS:g}" in PAGE or f"within {sending.SECONDS:g} seconds" in PAGE
    assert f"made within {sending.CONNECT_SECONDS:g} seconds" in PAGE
    assert f"the {KEPT.days} days that it is kept" in PAGE
    assert f"one person has {MOST_ENDPOINTS} at most" in PAGE
    assert AT_ONCE_OF_ONE == 4
    assert "four messages under way at most" in PAGE


def test_every_call_of_the_table_is_there() -> None:
    calls = re.findall(r"^\| `([A-Z]+) (webhooks/\S*)` \|", PAGE, re.MULTILINE)
    assert len(calls) == 12
    for method, path in calls:
        address = "/api/v1/" + path.replace("{id}", "01969f2e-8c3b-7a51-9d0e-2f6b1c4d5e6f")
        try:
            view = resolve(address).func
        except Resolver404:
            pytest.fail(f"{address} is not there")
        assert hasattr(view.view_class, method.lower()), (method, path)


def test_the_page_of_webhooks_is_where_the_guide_says(signed_in: Client) -> None:
    assert "Webhooks" in signed_in.get("/webhooks/").text
