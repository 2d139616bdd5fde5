"""The page of a webhook, as somebody sees it who sends a test."""

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from classifier.actions.deliver import Reply, claim_due, settle_delivery
from classifier.models import Endpoint, Event, User
from tests.browser.page import find, phone, text, wait_for
from tests.factories import DeliveryFactory, EndpointFactory


def press(browser: WebDriver, words: str) -> None:
    """The button or link that reads so."""
    elements = "[...document.querySelectorAll('button, a, summary')]"
    script = f"return {elements}.find(e => e.innerText === arguments[0])"
    browser.execute_script(script, words).click()


def test_a_webhook_is_added_and_a_test_shows_by_itself_what_became_of_it(
    browser: WebDriver, live_server, sign_in, user: User
) -> None:
    sign_in(user)
    browser.get(f"{live_server.url}/webhooks/")
    find(browser, "#id_url").send_keys("https://8.8.8.8/hook")
    press(browser, "Add the webhook")
    wait_for(browser, lambda: text(browser, "h1") == "https://8.8.8.8/hook")
    press(browser, "Send a test")
    wait_for(browser, lambda: text(browser, "#deliveries .state") == "Pending")
    endpoint = Endpoint.objects.get()
    [claimed] = claim_due(endpoint.id, 1)
    settle_delivery(claimed, Reply(204))
    wait_for(browser, lambda: text(browser, "#deliveries .state") == "Delivered")
    assert "hx-trigger" not in find(browser, "#deliveries").get_attribute("outerHTML")
    press(browser, "The message")
    assert "endpoint.test" in text(browser, "#deliveries pre")


def test_the_secret_is_hidden_until_it_is_asked_for(
    browser: WebDriver, live_server, sign_in, user: User
) -> None:
    endpoint = EndpointFactory(owner=user)
    sign_in(user)
    browser.get(f"{live_server.url}/webhooks/{endpoint.id}/")
    assert endpoint.secret not in text(browser, "main")
    find(browser, "summary").click()
    wait_for(browser, lambda: endpoint.secret in text(browser, "main"))


@pytest.mark.parametrize("path", ["", "{key}/", "{key}/edit/", "{key}/rotate/", "{key}/delete/"])
def test_a_phone_shows_it_without_scrolling_sideways(
    browser: WebDriver, live_server, sign_in, user: User, path: str
) -> None:
    url = f"https://hooks.example/{'long' * 100}"
    endpoint = EndpointFactory(owner=user, url=url, events=Event.values, description="x" * 200)
    DeliveryFactory(endpoint=endpoint, error="x" * 250, type="prediction.succeeded")
    sign_in(user)
    with phone(browser):
        browser.get(f"{live_server.url}/webhooks/{path.format(key=endpoint.id)}")
        for summary in browser.find_elements("css selector", "summary"):
            summary.click()
        widths = "const d = document.documentElement; return [d.scrollWidth, d.clientWidth]"
        wide, room = browser.execute_script(widths)
    assert wide <= room
