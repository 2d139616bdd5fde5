"""The pages of the API work in a browser, and within the content security policy."""

from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.support.select import Select

from classifier.models import ModelVersion, Prediction, Source, User
from tests.browser.page import find, find_all, phone, text, wait_for
from tests.factories import ImageFactory, PredictionFactory, image_bytes

CREATE = "#operations-predictions-predictions_create"
PIXELS = '{"pixels": [[0, 255], [255, 0]]}'


@pytest.fixture
def visit(
    browser: WebDriver, live_server, sign_in, user: User, serving: ModelVersion
) -> Callable[[str], None]:
    sign_in(user)
    return lambda path: browser.get(f"{live_server.url}{path}")


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "whiskers.png"
    path.write_bytes(image_bytes())
    return str(path)


def test_every_call_is_shown_and_a_picture_can_be_sent_from_there(
    browser: WebDriver, visit, picture: str
) -> None:
    visit("/api/v1/docs/")
    wait_for(browser, lambda: find_all(browser, CREATE))
    assert "Classify one image" in text(browser, CREATE)
    find(browser, f"{CREATE} .opblock-summary-control").click()
    wait_for(browser, lambda: find_all(browser, f"{CREATE} .try-out__btn"))
    find(browser, f"{CREATE} .try-out__btn").click()
    kind = Select(find(browser, f"{CREATE} .opblock-section-request-body select"))
    kind.select_by_value("application/json")
    area = f"{CREATE} .opblock-section-request-body textarea"
    wait_for(browser, lambda: find_all(browser, area))
    body = find(browser, area)
    body.clear()
    body.send_keys(PIXELS)
    find(browser, f"{CREATE} .btn.execute").click()
    wait_for(browser, lambda: Prediction.objects.exists())
    assert Prediction.objects.get().source == Source.API


def test_the_calls_are_dark_where_the_page_is(browser: WebDriver, visit) -> None:
    visit("/api/v1/docs/")
    wait_for(browser, lambda: find_all(browser, ".swagger-ui .info .title"))
    colours = []
    for theme in ("light", "dark"):
        browser.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        title = find(browser, ".swagger-ui .info .title")
        wait_for(
            browser, lambda t=title, c=tuple(colours): t.value_of_css_property("color") not in c
        )
        colours.append(title.value_of_css_property("color"))
    assert len(set(colours)) == 2


def test_the_calls_fit_a_phone(browser: WebDriver, visit) -> None:
    with phone(browser):
        visit("/api/v1/docs/")
        wait_for(browser, lambda: find_all(browser, CREATE))
        width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= 390


def test_a_picture_is_sent_by_the_form_of_the_browsable_api(
    browser: WebDriver, visit, picture: str
) -> None:
    visit("/api/v1/predictions/")
    find(browser, "input[type=file]").send_keys(picture)
    find(browser, "#post-object-form button").click()
    wait_for(browser, lambda: "HTTP 202 Accepted" in text(browser, ".response-info"))
    assert Prediction.objects.get().image.original_name == "whiskers.png"


def test_json_is_sent_by_the_browsable_api(browser: WebDriver, visit) -> None:
    visit("/api/v1/predictions/")
    find(browser, "[name=raw-tab]").click()
    form = "#post-generic-content-form"
    wait_for(browser, lambda: find(browser, f"{form} textarea").is_displayed())
    Select(find(browser, f"{form} select")).select_by_visible_text("application/json")
    area = find(browser, f"{form} textarea")
    area.clear()
    area.send_keys(PIXELS)
    find(browser, f"{form} button").click()
    wait_for(browser, lambda: "HTTP 202 Accepted" in text(browser, ".response-info"))


def test_a_prediction_is_deleted_by_the_browsable_api(
    browser: WebDriver, visit, user: User, serving: ModelVersion
) -> None:
    row = PredictionFactory(image=ImageFactory(owner=user), model_version=serving, succeeded=True)
    visit(f"/api/v1/predictions/{row.id}/")
    find(browser, "[data-target='#deleteModal']").click()
    wait_for(browser, lambda: find(browser, "#deleteModal form button").is_displayed())
    find(browser, "#deleteModal form button").click()
    wait_for(browser, lambda: not Prediction.objects.exists())


def test_predictions_are_filtered_in_the_browsable_api(browser: WebDriver, visit) -> None:
    visit("/api/v1/predictions/")
    find(browser, "[data-target='#filtersModal']").click()
    wait_for(browser, lambda: find(browser, "#filtersModal [name=status]").is_displayed())


def test_a_stranger_finds_the_way_in(browser: WebDriver, live_server) -> None:
    browser.get(f"{live_server.url}/api/v1/me/")
    assert "not_authenticated" in text(browser, ".response-info")
    assert find(browser, "a[href='/login/?next=/api/v1/me/']").is_displayed()
