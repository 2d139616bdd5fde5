"""The API in a browser: its pages show themselves, and their form uploads a picture."""

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from classifier.models import ModelVersion, Prediction, User
from tests.browser.page import find, find_all, text, wait_for
from tests.factories import ModelVersionFactory, image_bytes

PAGE = "/api/v1/predictions/"


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    path.write_bytes(image_bytes())
    return path


@pytest.fixture
def form(browser, live_server, sign_in, user: User, serving: ModelVersion):
    """The page of predictions, with its form."""
    sign_in(user)
    browser.get(live_server.url + PAGE)
    return find(browser, "form[enctype='multipart/form-data']")


def send(form) -> None:
    form.find_element(By.CSS_SELECTOR, "button[type=submit], .btn-primary").click()


def test_the_form_uploads_a_picture(browser, form, cat, user):
    form.find_element(By.NAME, "image").send_keys(str(cat))
    form.find_element(By.NAME, "top_k").send_keys("3")
    Select(form.find_element(By.NAME, "priority")).select_by_value("high")
    send(form)
    wait_for(browser, lambda: "202 Accepted" in text(browser, ".response-info"))
    row = Prediction.objects.get()
    assert (row.owner, row.image.original_name, row.top_k, row.priority) == (user, "cat.png", 3, 1)
    shown = text(browser, ".response-info")
    assert '"name": "cat.png"' in shown
    assert f"{row.id}/cancel/" in shown
    assert "/predictions/" in browser.current_url


def test_the_form_takes_a_model_by_its_name(browser, form, cat):
    ModelVersionFactory(name="resnet50")
    form.find_element(By.NAME, "image").send_keys(str(cat))
    form.find_element(By.NAME, "model").send_keys("resnet50")
    send(form)
    wait_for(browser, lambda: "202 Accepted" in text(browser, ".response-info"))
    assert Prediction.objects.get().model_version.name == "resnet50"


def test_a_picture_that_is_none_is_refused_on_the_page(browser, form, tmp_path):
    notes = tmp_path / "notes.png"
    notes.write_text("no picture")
    form.find_element(By.NAME, "image").send_keys(str(notes))
    send(form)
    wait_for(browser, lambda: "unknown_format" in text(browser, ".response-info"))
    assert not Prediction.objects.exists()


def test_one_prediction_shows_itself(browser, form, cat):
    form.find_element(By.NAME, "image").send_keys(str(cat))
    send(form)
    wait_for(browser, lambda: "202 Accepted" in text(browser, ".response-info"))
    [row] = Prediction.objects.all()
    address = f"/api/v1/predictions/{row.id}/"
    [link] = [a for a in find_all(browser, ".response-info a") if a.text.endswith(address)][:1]
    link.click()
    wait_for(browser, lambda: "200 OK" in text(browser, ".response-info"))
    assert browser.current_url.endswith(address)
    assert '"status": "queued"' in text(browser, ".response-info")
