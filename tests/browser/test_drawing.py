"""A digit is written on the pad, and what it is stands beside it."""

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput

from classifier.management.installing import install_bundle
from classifier.ml.bundle import SHIPPED, read_bundle
from classifier.models import ModelVersion, Prediction, User
from classifier.worker import runtime
from classifier.worker.classify import classify_waiting
from tests.browser.page import find, find_all, no_scripts, offline, phone, text, wait_for
from tests.handwriting import CAREFUL, Stroke

SHARE = 0.7  # of the pad that the writing fills


@pytest.fixture
def digits(serving: ModelVersion) -> ModelVersion:
    """The real model, installed beside the one that serves."""
    runtime._loaded.clear()
    return install_bundle(read_bundle(SHIPPED / "digits"), activate=False)


@pytest.fixture
def page(browser: WebDriver, live_server, sign_in, user: User, digits: ModelVersion) -> WebDriver:
    """The pad, signed in."""
    sign_in(user)
    browser.get(f"{live_server.url}/draw/")
    return browser


def draw(browser: WebDriver, strokes: list[Stroke], kind: str = "mouse") -> None:
    """Move a pointer over the pad along every third point of each stroke, without a rest."""
    pad = find(browser, "#pad")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", pad)
    height = SHARE * pad.size["height"]
    actions = ActionBuilder(browser, mouse=PointerInput(kind, kind), duration=10)
    pen = actions.pointer_action
    for stroke in strokes:
        for i, (x, y) in enumerate([stroke[0], *stroke[1:-1:3], stroke[-1]]):
            pen.move_to(pad, round((x - 0.3) * height), round((y - 0.5) * height))
            if i == 0:
                pen.pointer_down()
        pen.pointer_up()
    actions.perform()


def wait_for_answer(browser: WebDriver, other_than: str = "") -> str:
    """What the page shows once the drawing has been sent and classified."""
    wait_for(browser, Prediction.objects.pending().exists)
    classify_waiting()
    wait_for(browser, lambda: text(browser, ".answer-label") not in {"", other_than})
    return text(browser, ".answer-label")


@pytest.mark.parametrize("digit", ["0", "1"])
def test_a_digit_that_is_drawn_with_the_mouse_is_read(page: WebDriver, digit: str) -> None:
    draw(page, CAREFUL[digit][0])
    assert wait_for_answer(page) == digit
    assert len(find_all(page, ".score .bar")) == 5
    assert digit in find(page, "#announcement").get_attribute("textContent")
    assert page.current_url.endswith("/draw/")


def test_two_strokes_of_a_finger_are_one_drawing_and_scroll_nothing(page: WebDriver) -> None:
    with phone(page):
        page.refresh()
        draw(page, CAREFUL["4"][0], "touch")
        assert wait_for_answer(page) == "4"
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
    assert Prediction.objects.count() == 1


def test_undo_takes_the_last_stroke_back_and_clear_takes_all(page: WebDriver) -> None:
    draw(page, CAREFUL["1"][0])
    assert wait_for_answer(page) == "1"
    draw(page, [[(0, 0.5), (0.6, 0.5)]])
    wait_for_answer(page, other_than="1")
    find(page, "#undo").click()
    wait_for(page, lambda: text(page, ".answer-label") == "1")
    find(page, "#clear").click()
    assert text(page, "#shown") == ""
    assert "The answer appears here." in text(page, "main")
    assert not find(page, "#clear").is_enabled()


def test_what_could_not_be_sent_can_be_sent_again(page: WebDriver) -> None:
    with offline(page):
        draw(page, CAREFUL["1"][0])
        wait_for(page, lambda: "Not sent" in text(page, "#drawing"))
    find(page, "#drawing [type=submit]").click()
    assert wait_for_answer(page) == "1"


def test_without_scripts_there_is_the_choice_of_a_picture_and_no_pad(page: WebDriver) -> None:
    with no_scripts(page):
        page.refresh()
        assert not find(page, "#pad").is_displayed()
        assert find(page, "#choose").is_displayed()
