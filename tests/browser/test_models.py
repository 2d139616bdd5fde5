"""A model's page on a desk and a phone: nothing is cut off, and the table stays a table."""

from collections.abc import Callable

import pytest
from django.urls import reverse
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.keys import Keys

from classifier.actions.variants import serve_by
from classifier.models import ModelVersion, Prediction, User
from tests.browser.page import find, find_all, phone, text, wait_for
from tests.browser.test_looking import press, tab_to
from tests.factories import PredictionFactory, image_bytes
from tests.receipts import measure, measure_some

CUT_OFF = """
const frame = document.querySelector(".chart").getBoundingClientRect();
return [...document.querySelectorAll(".chart text")].filter(text => {
  const box = text.getBoundingClientRect();
  return box.left < frame.left || box.right > frame.right || box.top < frame.top;
}).map(text => text.textContent);
"""


@pytest.fixture
def visit(
    browser: WebDriver, live_server, sign_in, user: User, serving: ModelVersion
) -> Callable[[], None]:
    """Open the page of a model that seven ways to compute it were measured of."""
    serve_by(measure_some(serving)["openvino int8"])
    measure(serving, "torch", "fp32", recipe="compiled", images_per_second=44.8, agreement=1.0)
    measure(serving, "onnxruntime", "fp32", images_per_second=68.1, agreement=1.0)
    sign_in(user)
    address = reverse("model", args=[serving.name, serving.version])
    return lambda: browser.get(live_server.url + address)


def test_on_a_phone_the_chart_and_the_table_fit(browser: WebDriver, visit) -> None:
    with phone(browser):
        visit()
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
        assert browser.execute_script(CUT_OFF) == []
        roles = [find(browser, f".figures {tag}").aria_role for tag in ("tr", "tbody th", "td")]
    assert roles == ["row", "rowheader", "cell"]


def test_on_a_desk_the_chart_and_the_table_fit(browser: WebDriver, visit) -> None:
    visit()
    assert browser.execute_script(CUT_OFF) == []
    assert find(browser, ".chart-plot").aria_role in {"image", "img"}
    assert "the table has the figures" in find(browser, ".chart-plot").accessible_name
    assert len(find_all(browser, ".figures tbody tr")) == 7
    assert "openvino int8" in text(browser, ".figures .serves")


def test_a_model_is_reached_by_keyboard(
    browser: WebDriver, live_server, visit, serving: ModelVersion
) -> None:
    browser.get(live_server.url)
    tab_to(browser, "Models")
    press(browser, Keys.ENTER)
    wait_for(browser, lambda: text(browser, "h1") == "Models")
    tab_to(browser, str(serving))
    press(browser, Keys.ENTER)
    wait_for(browser, lambda: text(browser, "h1") == str(serving))


def test_what_was_answered_before_is_announced_and_can_be_classified_again(
    browser: WebDriver, live_server, sign_in, user: User, serving: ModelVersion, tmp_path
) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(image_bytes())
    sign_in(user)
    browser.get(live_server.url)
    find(browser, "#choose").send_keys(str(path))
    wait_for(browser, lambda: browser.find_elements("css selector", "[name=seen]"))
    answer = PredictionFactory.build(succeeded=True)
    fields = ("status", "output", "top_label", "top_score", "started_at", "completed_at")
    Prediction.objects.update(**{name: getattr(answer, name) for name in fields})
    Prediction.objects.update(variant=serving.computed_by)
    # The page has told the first answer; it would speak over the second.
    wait_for(browser, lambda: not browser.find_elements("css selector", "[name=seen]"))
    find(browser, "#choose").send_keys(str(path))
    wait_for(browser, lambda: Prediction.objects.filter(cached=True).exists())
    announced = "Answered at once: classified before"
    wait_for(
        browser, lambda: announced in find(browser, "#announcement").get_attribute("textContent")
    )
    recalled = Prediction.objects.get(cached=True)
    browser.get(live_server.url + reverse("prediction", args=[recalled.id]))
    tab_to(browser, "Classify again")
    press(browser, Keys.ENTER)
    wait_for(browser, lambda: "Queued" in text(browser, "#answer"))
    assert Prediction.objects.count() == 3
