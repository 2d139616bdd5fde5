"""Getting about: by keyboard, on a phone, in the dark."""

import pytest
from django.urls import reverse
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from classifier.models import ModelVersion, Prediction, User
from tests.browser.page import find, phone, succeed, text, wait_for
from tests.factories import ModelVersionFactory, PredictionFactory


def press(browser: WebDriver, *keys: str) -> None:
    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def focused_name(browser: WebDriver) -> str | None:
    """The name of the field that has the focus."""
    return browser.switch_to.active_element.get_attribute("name")


def tab_to(browser: WebDriver, words: str) -> None:
    """Press Tab until what has the focus reads `words`."""
    for _ in range(40):
        press(browser, Keys.TAB)
        focused = browser.switch_to.active_element
        if words in (focused.text, focused.get_attribute("id")):
            return
    raise AssertionError(f"{words} cannot be reached by Tab")


def test_everything_can_be_done_by_keyboard(
    browser: WebDriver, live_server, user: User, serving: ModelVersion
) -> None:
    PredictionFactory(image__owner=user, model_version=serving, succeeded=True)
    browser.get(f"{live_server.url}/login/")
    wait_for(browser, lambda: focused_name(browser) == "username")  # it takes the focus by itself
    press(browser, "ada", Keys.TAB)
    wait_for(browser, lambda: focused_name(browser) == "password")
    press(browser, "correct horse battery", Keys.ENTER)
    wait_for(browser, lambda: "What is in your pictures?" in text(browser, "h1"))
    press(browser, Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the content"
    press(browser, Keys.ENTER)
    tab_to(browser, "choose")
    outline = "return getComputedStyle(document.querySelector('#choose + label')).outlineStyle"
    assert browser.execute_script(outline) == "solid"
    tab_to(browser, "cat")
    press(browser, Keys.ENTER)
    wait_for(browser, lambda: text(browser, ".answer-label") == "cat")
    tab_to(browser, "Delete")
    press(browser, Keys.ENTER)
    wait_for(browser, lambda: "Delete this picture?" in text(browser, "h1"))
    tab_to(browser, "Delete for good")
    press(browser, Keys.ENTER)
    wait_for(browser, lambda: "was deleted" in text(browser, "#messages"))
    assert not Prediction.objects.exists()


def test_the_theme_goes_round_and_is_remembered(browser: WebDriver, live_server) -> None:
    def ground() -> str:
        return find(browser, "body").value_of_css_property("background-color")

    browser.get(f"{live_server.url}/about/")
    button = find(browser, "#theme")
    assert button.accessible_name == "Theme: as the system"
    button.click()
    light = ground()
    button.click()
    assert button.accessible_name == "Theme: dark"
    assert ground() != light
    dark = ground()
    browser.refresh()
    assert ground() == dark
    find(browser, "#theme").click()
    assert find(browser, "html").get_attribute("data-theme") == "auto"


def test_a_result_appears_on_its_page_without_a_reload(
    browser: WebDriver, live_server, sign_in, user: User
) -> None:
    prediction = PredictionFactory(image__owner=user)
    sign_in(user)
    browser.get(live_server.url + reverse("prediction", args=[prediction.id]))
    assert "Queued" in text(browser, "#answer")
    succeed(prediction, "ship")
    wait_for(browser, lambda: text(browser, ".answer-label") == "ship")
    assert "ship, 90.0" in find(browser, "#announcement").get_attribute("textContent")


@pytest.mark.parametrize("name", ["upload", "history", "prediction", "delete", "about", "login"])
def test_on_a_phone_nothing_scrolls_sideways(
    browser: WebDriver, live_server, sign_in, user: User, serving: ModelVersion, name: str
) -> None:
    ModelVersionFactory(name="a-model-with-quite-a-long-name-for-a-phone")
    long = "a_very_long_file_name_without_a_single_space_in_it_from_some_camera_2026.png"
    prediction = PredictionFactory(
        image__owner=user, image__original_name=long, model_version=serving, succeeded=True
    )
    PredictionFactory(image__owner=user, image__original_name=long, failed=True)
    PredictionFactory(image__owner=user, image__original_name=long)
    if name != "login":
        sign_in(user)
    arguments = [prediction.id] if name in {"prediction", "delete"} else []
    with phone(browser):
        browser.get(live_server.url + reverse(name, args=arguments))
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390


def test_the_account_menu_opens_and_logs_out(
    browser: WebDriver, live_server, sign_in, user: User
) -> None:
    sign_in(user)
    browser.get(f"{live_server.url}/predictions/")
    find(browser, "[popovertarget=user-menu]").click()
    assert "ada" in text(browser, "#user-menu")
    find(browser, "#user-menu button").click()
    wait_for(browser, lambda: browser.current_url.endswith("/login/"))
