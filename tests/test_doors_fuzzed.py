"""Whatever is sent to the doors that answer at once, each refuses it in its own form."""

import base64
import itertools
import json
import random

import pytest
from django.test import Client

from classifier.actions.tokens import issue
from classifier.models import Scope
from tests.factories import image_bytes

CASES = 400
IMAGE = base64.b64encode(image_bytes(size=(4, 4))).decode()
ODD = [
    None, True, False, 0, -1, 1, 2, 255, 256, 0.5, -0.0, 1e308, 10**25, -(10**400), 2**63, 2**31,
    "", " ", "\0", "\ud800", "é", "0" * 300, "image", "pixels", "BYTES", "UINT8", "probabilities",
    IMAGE, IMAGE[:-7], "data:image/png;base64,", f"data:image/png;base64,{IMAGE}", "bm8=", [], [[]],
    {}, [None], [1, [2]], {"": {}}, {"\0": "\ud800"}, [[[[[[1]]]]]], [0] * 784, [[0] * 28] * 28,
]  # fmt: skip
DOORS = {
    "/v2/models/everyday/infer": [
        {
            "id": "1",
            "parameters": {"binary_data_output": False},
            "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [IMAGE]}],
            "outputs": [{"name": "probabilities", "parameters": {"classification": 2}}],
        },
        {
            "inputs": [
                {"name": "pixels", "datatype": "UINT8", "shape": [1, 2, 2], "data": [1, 2, 3, 4]}
            ]
        },
    ],
    "/predict": [
        {"x": [0.5, 0.1, 0.2, 1]},
        {"pixels": [[[1, 2, 3]], [[4, 5, 6]]]},
        {"image": IMAGE},
    ],
    "/api/v1/models/everyday/": [
        {"inputs": IMAGE, "parameters": {"top_k": 3, "function_to_apply": "softmax"}}
    ],
}
PNG = image_bytes(size=(4, 4))
KINDS = [
    "", "/", "image/", "image/png", "text/plain", "\xff", "a" * 500, "application/json",
    "application/json; charset=nonsense", "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-16", "multipart/form-data",
    "multipart/form-data; boundary=x", f"multipart/form-data; boundary={'x' * 300}",
]  # fmt: skip
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\0b"\r\n\r\n'
BODIES = [
    b"", b"\0", PNG, b"{}", b"[]", b"null", b'"x"', b"a=b&" * 2000, b"--x\r\n\r\n--x--",
    PART, PART + PNG + b"\r\n--x--\r\n", PART + b"\r\n--x--\r\n",
]  # fmt: skip
MEANT = {200, 400, 413, 415, 422, 504}  # 504: it was right, but nobody works here


def mutated(value: object, chance: random.Random) -> object:
    """A copy in which something was replaced, left out, doubled or put elsewhere."""
    if chance.random() < 0.12:
        return chance.choice(ODD)
    if isinstance(value, dict):
        kept = {k: mutated(v, chance) for k, v in value.items() if chance.random() > 0.05}
        if chance.random() < 0.1:
            kept[str(chance.choice(ODD))] = chance.choice(ODD)
        return kept
    if isinstance(value, list):
        return [mutated(v, chance) for v in value for _ in range(chance.choice([1] * 9 + [0, 2]))]
    return value


def broken(text: bytes, chance: random.Random) -> bytes:
    """Now and then a byte is not what it was, or the rest is missing."""
    if chance.random() < 0.9:
        return text
    place = chance.randrange(len(text))
    return text[:place] + chance.choice([b"", b"\0", b"\xff", b"NaN", b"1e999"]) + text[place + 1 :]


@pytest.fixture
def program(user):
    _, secret = issue(user, "test", [Scope.PREDICTIONS_WRITE])
    return Client(headers={"Authorization": f"Bearer {secret}"})


@pytest.mark.django_db
@pytest.mark.parametrize("url", DOORS)
def test_odd_requests_are_refused_with_a_reason(program, serving, broker, settings, url):
    settings.ANSWER_SECONDS = 0.001
    chance = random.Random(url)
    seen = set()
    for _ in range(CASES):
        body = broken(json.dumps(mutated(chance.choice(DOORS[url]), chance)).encode(), chance)
        kind = chance.choice(["application/json"] * 9 + ["application/octet-stream", "text/plain"])
        length = {"Inference-Header-Content-Length": str(chance.choice([0, 7, len(body)]))}
        headers = length if chance.random() < 0.1 else {}
        response = program.post(url, body, content_type=kind, headers=headers)
        assert response.status_code in MEANT, (body, response.content)
        answer = response.json()
        assert answer["error"] if url.startswith("/v2") else answer["detail"]
        seen.add(response.status_code)
    assert len(seen) > 1, "the cases are no test if all are refused alike"


@pytest.mark.django_db
@pytest.mark.parametrize("url", DOORS)
def test_no_content_type_makes_a_door_stumble(program, user, serving, broker, settings, url):
    settings.ANSWER_SECONDS = 0.001
    elsewhere = Client(enforce_csrf_checks=True)
    elsewhere.force_login(user)
    person = Client()
    person.force_login(user)
    for client, others in ((program, set()), (person, set()), (elsewhere, {403})):
        for kind, body in itertools.product(KINDS, BODIES):
            response = client.generic("POST", url, body, content_type=kind)
            assert response.status_code in MEANT | others, (kind, body, response.content)
            assert response["Content-Type"] in {"application/json", "application/problem+json"}
