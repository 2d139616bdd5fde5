"""What holds for every page: who may see it, its frame, and the policy against foreign code."""

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver, reverse

from classifier.actions.calibrate import calibrate
from classifier.actions.promote import activate
from classifier.models import ModelVersion, Prediction, User
from tests.factories import SPEC, ModelVersionFactory, PredictionFactory
from tests.receipts import measure_some

TEMPLATES = sorted(
    path
    for path in (Path(settings.BASE_DIR) / "templates").rglob("*.html")
    if "admin" not in path.parts
)
PUBLIC = ["about", "login", "register"]
OF_ONE = ["prediction", "delete"]
SIGNED_IN = [
    "upload",
    "draw",
    "history",
    "models",
    "model",
    "password_change",
    "password_change_done",
    *OF_ONE,
]


class Page(HTMLParser):
    """The tags of a page, in order, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture
def prediction(user: User, serving: ModelVersion) -> Prediction:
    # So that there is a model to choose, and a pad to draw on.
    ModelVersionFactory(name="second", spec=SPEC | {"framing": "ink"})
    measure_some(serving)
    return PredictionFactory(image__owner=user, model_version=serving)


def address(name: str, prediction: Prediction) -> str:
    version = prediction.model_version
    arguments = {
        **{one: [prediction.id] for one in OF_ONE},
        "model": [version.name, version.version],
    }
    return reverse(name, args=arguments.get(name))


@pytest.mark.parametrize("name", [*PUBLIC, *SIGNED_IN])
def test_every_page_is_well_formed_for_everybody(
    client: Client, user: User, prediction: Prediction, settings, name: str
) -> None:
    settings.REGISTRATION_OPEN = True
    if name in SIGNED_IN:
        client.force_login(user)
    response = client.get(address(name, prediction))
    assert response.status_code == 200
    page = Page(response.content.decode())
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    labelled = {label.get("for") for label in page.all("label")}
    for field in page.all("input", "select", "textarea"):
        visible = field.get("type") != "hidden" and "hidden" not in field
        assert not visible or field["id"] in labelled
    for picture in page.all("img"):
        assert "alt" in picture
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", SIGNED_IN)
def test_a_page_of_ones_own_needs_a_login(
    client: Client, prediction: Prediction, name: str
) -> None:
    url = address(name, prediction)
    response = client.get(url)
    assert response.status_code == 302
    assert unquote(response.url) == f"{reverse('login')}?next={url}"


# The API and the protocols refuse strangers in their own form: tests/test_api_access.py.
FOR_STRANGERS = {"about", "login", "register", "set_language", "health_live", "health_ready"}
PARTS = {"uuid": "018f0000-0000-7000-8000-000000000000", "slug": "x", "int": "1"}


def addresses(patterns: Iterable[Any] | None = None, before: str = "/") -> Iterator[tuple]:
    """Each address outside of the API, with its name and any value for what varies."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if getattr(pattern, "namespace", None) in {"api", "oip"}:
            continue
        address = before + str(pattern.pattern).removeprefix("^").removesuffix("$")
        for kind, value in PARTS.items():
            address = re.sub(rf"<{kind}:\w+>", value, address)
        address = re.sub(r"<path:\w+>|\(\?P<\w+>.*\)", "1", address)
        if hasattr(pattern, "url_patterns"):
            yield from addresses(pattern.url_patterns, address)
        elif pattern.name not in FOR_STRANGERS:
            yield pattern.name, address


@pytest.mark.django_db
@pytest.mark.parametrize("verb", ["get", "post"])
def test_nothing_else_is_open_to_strangers(client: Client, verb: str) -> None:
    found = list(addresses())
    assert {"image", "promote", "webhook_redeliver", "classifier_prediction_changelist"} <= {
        name for name, _ in found
    }
    for name, address in found:
        response = getattr(client, verb)(address)
        assert response.status_code == 302, (name, address)
        assert "/login/?next=" in response.url, (name, response.url)


@pytest.mark.parametrize("name", ["about", "login"])
def test_the_policy_lets_no_foreign_or_inline_code_run(client: Client, db: None, name: str) -> None:
    policy = client.get(reverse(name))["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_inline_code_or_style(path: Path) -> None:
    source = path.read_text()
    assert not re.search(r"<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:|hx-on|hx-vals='js", source)
    assert not re.search(r"<script(?![^>]*\ssrc=)", source)


def test_htmx_is_told_to_keep_to_the_policy(client: Client, db: None) -> None:
    page = client.get(reverse("login")).content.decode()
    assert '"includeIndicatorStyles": false' in page
    assert '"allowEval": false' in page


def test_what_is_not_there_is_said_kindly(signed_in: Client) -> None:
    response = signed_in.get("/nothing/")
    assert response.status_code == 404
    assert b"There is nothing here" in response.content


def test_a_crash_is_said_kindly(signed_in: Client, monkeypatch) -> None:
    def crash(*args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("classifier.web.views.predictions.cards.draw", crash)
    signed_in.raise_request_exception = False
    response = signed_in.get(reverse("history"))
    assert response.status_code == 500
    assert b"Something went wrong here" in response.content


def test_a_stale_form_is_said_kindly(user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    response = client.post(reverse("upload"))
    assert response.status_code == 403
    assert b"The page was too old" in response.content


def test_the_about_page_tells_of_the_model_and_of_privacy(client: Client, db: None) -> None:
    version = ModelVersionFactory(
        metrics={"top1": 0.931, "dataset": "the test photos"}, licence="MIT"
    )
    activate(version)
    page = client.get(reverse("about")).content.decode()
    for shown in (str(version), "93.1", "the test photos", "MIT", "cat, dog, ship", "Privacy"):
        assert shown in page


def test_the_about_page_says_whether_the_model_admits_that_it_does_not_know(
    client: Client, db: None
) -> None:
    version = ModelVersionFactory()
    activate(version)
    page = client.get(reverse("about")).content.decode()
    assert "It always answers with one of the things" in page
    calibrate(version, {"coverage": 0.9})
    page = client.get(reverse("about")).content.decode()
    assert "It always answers with one of the things" not in page
    assert "it mostly says that it is not sure" in page


def test_the_about_page_does_without_a_model(client: Client, db: None) -> None:
    assert b"No model is installed yet." in client.get(reverse("about")).content


def test_only_staff_are_led_to_the_admin(client: Client, user: User, staff: User) -> None:
    link = reverse("admin:index").encode()
    client.force_login(user)
    assert link not in client.get(reverse("about")).content
    client.force_login(staff)
    assert link in client.get(reverse("about")).content
