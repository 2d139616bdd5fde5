"""Chromium without a screen, signed in to the pages of a live server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from selenium.webdriver.chrome.webdriver import WebDriver

from classifier.models import User
from tests.browser.chromium import NoChromium, open_chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    try:
        browser = open_chromium(tmp_path_factory.mktemp("chromium"))
    except NoChromium as error:
        pytest.skip(str(error))
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium: WebDriver, live_server) -> Iterator[WebDriver]:
    """A visitor, whose browser must have had nothing to complain of in the end."""
    chromium.get(f"{live_server.url}/about/")
    chromium.execute_script("localStorage.clear()")
    chromium.get_log("browser")
    yield chromium
    complaints = [
        entry
        for entry in chromium.get_log("browser")
        # What the server refuses is logged as a failure of the network.
        if entry["level"] in {"WARNING", "SEVERE"} and entry["source"] != "network"
    ]
    chromium.delete_all_cookies()
    chromium.get("about:blank")
    assert not complaints


@pytest.fixture
def sign_in(browser: WebDriver) -> Callable[[User], None]:
    def sign_in(user: User) -> None:
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        browser.add_cookie({"name": name, "value": client.cookies[name].value})

    return sign_in
