"""Short words for what a person does and sees."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.utils import timezone
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from classifier.models import Prediction, Status


def find(browser: WebDriver, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def find_all(browser: WebDriver, selector: str) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, selector)


def text(browser: WebDriver, selector: str) -> str:
    """What can be read of the elements, read at once, so that no swap comes between."""
    script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText).join('\\n')"
    return str(browser.execute_script(script, selector))


def wait_for(browser: WebDriver, condition: Callable[[], object]) -> None:
    WebDriverWait(browser, 10, poll_frequency=0.05).until(lambda _: condition())


def succeed(prediction: Prediction, label: str = "cat") -> None:
    """What a worker would do."""
    Prediction.objects.filter(id=prediction.id).update(
        status=Status.SUCCEEDED,
        lease=None,
        output=[{"label": label, "score": 0.9}, {"label": "dog", "score": 0.1}],
        top_label=label,
        top_score=0.9,
        batch_size=1,
        inference_seconds=0.01,
        started_at=timezone.now(),
        completed_at=timezone.now(),
    )


@contextmanager
def phone(browser: WebDriver) -> Iterator[None]:
    """390 by 844 pixels, with fingers."""
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    yield
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@contextmanager
def offline(browser: WebDriver) -> Iterator[None]:
    conditions = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)
    yield
    conditions["offline"] = False
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)


@contextmanager
def no_scripts(browser: WebDriver) -> Iterator[None]:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    yield
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
