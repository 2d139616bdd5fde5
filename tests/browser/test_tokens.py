"""Tokens and lines for programs: made by keyboard, copied by a button, read on a phone."""

import re

import pytest
from django.urls import reverse
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from classifier.actions.tokens import ORDINARY_SCOPES, find_usable, issue
from classifier.models import Scope, Token, User
from tests.browser.page import find, find_all, no_scripts, phone, text, wait_for
from tests.browser.test_looking import press, tab_to
from tests.factories import PredictionFactory

SECRET = re.compile(r"slt_[\w-]{43}")


@pytest.fixture
def page(browser: WebDriver, live_server, sign_in, user: User) -> WebDriver:
    """The page of tokens, signed in."""
    sign_in(user)
    browser.get(f"{live_server.url}/tokens/")
    return browser


def make(page: WebDriver, name: str) -> None:
    find(page, "#id_name").send_keys(name, Keys.ENTER)
    wait_for(page, lambda: name in text(page, "h1"))


def pasted(browser: WebDriver) -> str:
    """What Ctrl+V brings into a field."""
    browser.execute_script(
        "document.body.append(document.createElement('textarea'));"
        "document.querySelector('textarea').focus()"
    )
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("v").key_up(Keys.CONTROL).perform()
    brought = find(browser, "textarea").get_attribute("value")
    browser.execute_script("document.querySelector('textarea').remove()")
    return str(brought)


def test_a_token_is_made_copied_and_revoked_by_keyboard(page: WebDriver) -> None:
    tab_to(page, "Make your first token")
    press(page, Keys.ENTER)
    tab_to(page, "id_name")
    press(page, "my script", Keys.TAB, Keys.TAB, Keys.SPACE)
    tab_to(page, "Make the token")
    press(page, Keys.ENTER)
    wait_for(page, lambda: text(page, "h1") == "The token for my script")
    shown = text(page, ".secret code")
    made = find_usable(shown)
    assert made is not None
    assert made.scope_names == [Scope.PREDICTIONS_READ, Scope.MODELS_READ], "one was unticked"
    tab_to(page, "Copy")
    press(page, Keys.ENTER)
    wait_for(page, lambda: text(page, ".secret button") == "Copied")
    assert find(page, "#announcement").get_attribute("textContent") == "Copied"
    assert pasted(page) == shown
    tab_to(page, "I have copied it")
    press(page, Keys.ENTER)
    wait_for(page, lambda: text(page, "h1") == "API tokens")
    tab_to(page, "Revoke")
    press(page, Keys.ENTER)
    wait_for(page, lambda: "Revoke the token for my script?" in text(page, "h1"))
    tab_to(page, "Revoke it for good")
    press(page, Keys.ENTER)
    wait_for(page, lambda: "my script works no more" in text(page, "#messages"))
    assert find_usable(shown) is None


def test_the_button_says_again_what_it_does_and_can_be_pressed_again(page: WebDriver) -> None:
    button = find(page, "[open] [data-copy]")
    assert button.accessible_name == "Copy the lines for curl"
    button.click()
    wait_for(page, lambda: button.text == "Copied")
    wait_for(page, lambda: button.text == "Copy")
    assert find(page, "#announcement").get_attribute("textContent") == ""
    button.click()
    wait_for(page, lambda: button.text == "Copied")


def test_lines_are_copied_as_they_are_shown(page: WebDriver, live_server) -> None:
    lines = find(page, "[open] [data-copy-source]").get_attribute("textContent")
    find(page, "[open] [data-copy]").click()
    wait_for(page, lambda: text(page, "[open] [data-copy]") == "Copied")
    assert lines.startswith('curl -H "Authorization: Bearer $SIGHTLINE_TOKEN"')
    assert f'"{live_server.url}/api/v1/predictions/"' in lines
    assert pasted(page) == lines


def test_it_copies_where_the_clipboard_is_closed_to_pages(page: WebDriver) -> None:
    page.execute_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    find(page, "[open] [data-copy]").click()
    wait_for(page, lambda: text(page, "[open] [data-copy]") == "Copied")
    assert pasted(page).startswith("curl -H")


def test_where_nothing_can_be_copied_it_is_selected_and_said(page: WebDriver) -> None:
    page.execute_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.execute_script("document.execCommand = () => false")
    find(page, "[open] [data-copy]").click()
    wait_for(page, lambda: "Ctrl+C" in find(page, "#announcement").get_attribute("textContent"))
    assert "curl -H" in page.execute_script("return getSelection().toString()")


def test_one_language_is_open_at_a_time(page: WebDriver) -> None:
    assert text(page, ".snippet[open] summary") == "curl"
    find_all(page, ".snippet summary")[1].click()
    wait_for(page, lambda: text(page, ".snippet[open] summary") == "Python")


def test_going_back_to_a_token_that_was_shown_shows_it_no_more(page: WebDriver) -> None:
    make(page, "script")
    find(page, ".actions a").click()
    wait_for(page, lambda: text(page, "h1") == "API tokens")
    page.back()
    assert not SECRET.search(page.page_source)
    assert Token.objects.count() == 1


def test_a_token_is_made_and_read_without_scripts(page: WebDriver) -> None:
    with no_scripts(page):
        page.refresh()
        make(page, "script")
        assert find_usable(text(page, ".secret code"))
        assert not find(page, ".secret button").is_displayed()


@pytest.mark.parametrize("name", ["tokens", "token_rotate", "token_revoke", "prediction"])
def test_on_a_phone_nothing_scrolls_sideways(
    browser: WebDriver, live_server, sign_in, user: User, name: str
) -> None:
    token, _ = issue(user, "a_very_long_name_without_a_single_space_in_it_at_all", Scope)
    prediction = PredictionFactory(image__owner=user, succeeded=True)
    sign_in(user)
    keys = {"tokens": [], "prediction": [prediction.id]}.get(name, [token.id])
    with phone(browser):
        browser.get(live_server.url + reverse(name, args=keys))
        browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390


def test_on_a_phone_the_new_token_and_the_menu_fit(page: WebDriver) -> None:
    with phone(page):
        make(page, "a_very_long_name_without_a_single_space_in_it_at_all")
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
        find(page, "[popovertarget=user-menu]").click()
        menu = find(page, "#user-menu").rect
        assert menu["x"] >= 0
        assert menu["x"] + menu["width"] <= 390
        assert "API tokens" in text(page, "#user-menu")


def test_the_account_menu_leads_to_the_tokens(
    browser: WebDriver, live_server, sign_in, user: User
) -> None:
    issue(user, "script", ORDINARY_SCOPES)
    sign_in(user)
    browser.get(f"{live_server.url}/predictions/")
    find(browser, "[popovertarget=user-menu]").click()
    find(browser, "#user-menu a").click()
    wait_for(browser, lambda: text(browser, ".row-title") == "script")
