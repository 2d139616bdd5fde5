"""Pictures go in by every way that the page offers, and turn into answers before one's eyes."""

from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from classifier.models import ModelVersion, Prediction, Status, User
from tests.browser.page import find, find_all, no_scripts, offline, succeed, text, wait_for
from tests.factories import image_bytes

DROP_OR_PASTE = """
const canvas = document.createElement("canvas");
canvas.width = canvas.height = 8;
canvas.toBlob((blob) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([blob], "thing.png", {type: "image/png"}));
  const event = arguments[0] === "paste"
    ? new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true})
    : new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true});
  document.querySelector(".drop").dispatchEvent(event);
}, "image/png");
"""


@pytest.fixture
def page(browser: WebDriver, live_server, sign_in, user: User, serving: ModelVersion) -> WebDriver:
    """The upload page, signed in."""
    sign_in(user)
    browser.get(live_server.url)
    return browser


def write(folder: Path, name: str, content: bytes) -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def choose(browser: WebDriver, *paths: str) -> None:
    find(browser, "#choose").send_keys("\n".join(paths))


def test_a_chosen_picture_becomes_a_card_that_comes_alive(page: WebDriver, tmp_path: Path) -> None:
    choose(page, write(tmp_path, "whiskers.png", image_bytes()))
    wait_for(page, lambda: "Queued" in text(page, "#uploads .card"))
    preview = find(page, "#uploads img")
    assert preview.get_attribute("src").startswith("blob:")
    succeed(Prediction.objects.get())
    wait_for(page, lambda: "90.0\N{NO-BREAK SPACE}%" in text(page, "#uploads .card"))
    assert text(page, "#uploads .card-link") == "cat"
    assert "whiskers.png: cat" in find(page, "#announcement").get_attribute("textContent")
    assert find(page, "#uploads img") == preview  # nothing flickered
    assert page.execute_script("return arguments[0].decode().then(() => true)", preview)
    assert find(page, "#poll").get_attribute("hx-trigger") is None


def test_of_several_files_the_refused_one_says_why_and_the_rest_go_on(
    page: WebDriver, tmp_path: Path
) -> None:
    choose(
        page,
        write(tmp_path, "one.png", image_bytes(colour="red")),
        write(tmp_path, "notes.txt", b"no picture"),
        write(tmp_path, "two.png", image_bytes(colour="blue")),
    )
    wait_for(page, lambda: text(page, "#uploads").count("Queued") == 2)
    wait_for(page, lambda: "notes.txt" in text(page, "#uploads [data-refused]"))
    refused = text(page, "#uploads [data-refused]")
    assert "This is not an image in a known format." in refused
    assert [card.text.split("\n")[0] for card in find_all(page, "#uploads > li")] == [
        "one.png",
        "notes.txt",
        "two.png",
    ]


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_can_be_dropped_and_pasted(page: WebDriver, way: str) -> None:
    page.execute_script(DROP_OR_PASTE, way)
    wait_for(page, lambda: "Queued" in text(page, "#uploads"))
    assert Prediction.objects.get().image.original_name == "thing.png"


def test_what_could_not_be_sent_can_be_sent_again(page: WebDriver, tmp_path: Path) -> None:
    with offline(page):
        choose(page, write(tmp_path, "cat.png", image_bytes()))
        wait_for(page, lambda: "Not sent" in text(page, "#uploads"))
    find(page, "#uploads button").click()
    wait_for(page, lambda: "Queued" in text(page, "#uploads"))


def test_a_file_that_is_far_too_large_is_not_even_sent(page: WebDriver, tmp_path: Path) -> None:
    page.execute_script("document.querySelector('#upload').dataset.maxBytes = 10")
    choose(page, write(tmp_path, "cat.png", image_bytes()))
    wait_for(page, lambda: "Too large" in text(page, "#uploads"))
    assert not Prediction.objects.exists()


def test_a_waiting_picture_can_be_canceled_on_the_spot(page: WebDriver, tmp_path: Path) -> None:
    choose(page, write(tmp_path, "cat.png", image_bytes()))
    wait_for(page, lambda: "Queued" in text(page, "#uploads"))
    find(page, "#uploads .cancel button").click()
    wait_for(page, lambda: "Canceled" in text(page, "#uploads"))
    assert Prediction.objects.get().status == Status.CANCELED


def test_many_pictures_all_arrive_and_all_come_alive(page: WebDriver, tmp_path: Path) -> None:
    count = 45  # more than a page asks about at once
    pictures = [
        write(tmp_path, f"{n}.png", image_bytes(size=(8, 8), colour=(n, n, 9)))
        for n in range(count)
    ]
    choose(page, *pictures)
    wait_for(page, lambda: Prediction.objects.count() == count)
    wait_for(page, lambda: len(find_all(page, "#uploads [name=seen]")) == count)
    for prediction in Prediction.objects.all():
        succeed(prediction)
    wait_for(page, lambda: not find_all(page, "#uploads [name=seen]"))


def test_without_scripts_the_plain_form_does_it(page: WebDriver, tmp_path: Path) -> None:
    with no_scripts(page):
        page.refresh()
        choose(page, write(tmp_path, "cat.png", image_bytes()))
        find(page, "#upload .button-primary:not(label)").click()
        wait_for(page, lambda: "/predictions/" in page.current_url)
        prediction = Prediction.objects.get()
        succeed(prediction)
        page.refresh()
        assert find(page, ".answer-label").text == "cat"
