"""Recording pictures into classes with the browser's camera, until a model is trained on them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.application import CHROMIUM_ARGUMENTS, DESKTOP, App
from tests.e2e.browser import find_or_install_browser
from tl_core.data import list_datasets

pytestmark = pytest.mark.e2e

TRAINING_MILLISECONDS = 240_000
# The clock of the camera begins anew with each recording: in another size no picture of a class is in the other, too.
OTHER_SIZE_EACH_TIME = """
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
let times = 0
navigator.mediaDevices.getUserMedia = (asked) =>
  open({ ...asked, video: { ...asked.video, width: { ideal: 640 + 160 * times++ } } })
"""


@pytest.fixture(scope="module")
def camera_browser(browser):
    """Its camera shows a clock, so that no two pictures of a recording are equal."""
    running = browser.browser_type.launch(
        executable_path=find_or_install_browser(),
        args=[*CHROMIUM_ARGUMENTS, "--use-fake-device-for-media-stream"],
    )
    yield running
    running.close()


@pytest.fixture
def open_form(camera_browser, app):
    """``open_form("camera")`` -> the form for pictures class by class, allowed to use the camera."""
    contexts = []

    def open_page(*permissions: str) -> Page:
        context = camera_browser.new_context(viewport=DESKTOP, permissions=list(permissions))
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(OTHER_SIZE_EACH_TIME)
        page.set_default_timeout(60_000)
        page.goto(app.at("Data"))
        if list_datasets(app.workspace):
            page.get_by_text("New dataset").click()
        page.get_by_role("tab", name="Class by class").click()
        for number, name in ((1, "day"), (2, "night")):
            page.get_by_role("textbox", name=f"Class {number}").fill(name)
            page.keyboard.press("Tab")
            expect(page.get_by_text(f"Images of {name}")).to_be_visible()
        return page

    yield open_page
    for context in contexts:
        context.close()


def there(page: Page, row: int) -> int:
    return int(page.locator(".pile").nth(row).get_attribute("data-pictures") or 0)


def wait_for_pictures(page: Page, row: int, amount: int) -> None:
    pile = page.locator(".pile").nth(row).element_handle()
    page.wait_for_function("([pile, amount]) => Number(pile.dataset.pictures) >= amount", arg=[pile, amount])


def settled(page: Page, row: int) -> int:
    """The pictures of a row once none is on its way any more."""
    expect(page.locator(".pile").nth(row).locator(".waiting")).to_have_count(0)
    return there(page, row)


@pytest.mark.slow
def test_pictures_are_recorded_into_classes_and_a_model_is_trained_on_them(app: App, open_form):
    page = open_form("camera")
    button = page.get_by_role("button", name="Hold to record")
    button.first.hover()
    page.mouse.down()
    wait_for_pictures(page, 0, 12)
    page.mouse.up()
    expect(page.locator(".pile").first).to_have_attribute("data-state", "ready")
    first = settled(page, 0)
    page.locator(".pile").first.get_by_role("button", name="Remove recording").first.click()
    expect(page.locator(".pile").first).to_have_attribute("data-pictures", str(first - 1))

    button.nth(1).focus()
    page.keyboard.down(" ")
    wait_for_pictures(page, 1, 12)
    page.keyboard.up(" ")
    second = settled(page, 1)
    expect(page.locator(".pile").first).to_have_attribute("data-state", "off")

    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url("**dataset=**")
    [dataset] = list_datasets(app.workspace)
    assert {name: sum(parts.values()) for name, parts in dataset.counts().items()} == {
        "day": first - 1,
        "night": second,
    }
    assert len({record.group for record in dataset.images}) == 2
    page.get_by_role("button", name="Train on these images").click()
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("button", name="Try it on a photo")).to_be_visible(timeout=TRAINING_MILLISECONDS)


@pytest.mark.slow
def test_a_camera_that_is_refused_is_one_sentence_and_a_video_is_taken_without_it(app: App, open_form, tmp_path):
    page = open_form()
    page.get_by_role("button", name="Hold to record").first.click()
    expect(page.get_by_text("The camera is blocked for this page")).to_be_visible()
    film = tmp_path / "walk.webm"
    film.write_bytes(bytes(page.evaluate(RECORD_A_FILM)))
    page.locator(".pile .file").first.set_input_files(film)
    wait_for_pictures(page, 0, 4)
    expect(page.locator(".thumb img").first).to_have_attribute("alt", re.compile(r"walk\.webm/\d{4}\.jpg"))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    page.locator(".pile .file").nth(1).set_input_files(broken)
    expect(page.get_by_text("This browser cannot play this video")).to_be_visible()


# A second of a canvas that changes, as a browser records it: a WebM that does not tell its length.
RECORD_A_FILM = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 160, height: 120 })
  const drawing = canvas.getContext("2d")
  let turn = 0
  const painting = setInterval(() => {
    drawing.fillStyle = `hsl(${(turn += 23) % 360} 80% 50%)`
    drawing.fillRect(0, 0, 160, 120)
    drawing.fillStyle = "white"
    drawing.fillRect(turn % 120, 30, 40, 60)
  }, 40)
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: "video/webm" })
  const parts = []
  recorder.ondataavailable = ({ data }) => parts.push(data)
  const ended = new Promise((resolve) => (recorder.onstop = resolve))
  recorder.start()
  setTimeout(() => recorder.stop(), 1500)
  await ended
  clearInterval(painting)
  return [...new Uint8Array(await new Blob(parts).arrayBuffer())]
}"""
