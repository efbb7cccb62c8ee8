"""The live camera in a real browser, whose camera shows a film of one class."""

from __future__ import annotations

import contextlib

import psutil
import pytest
from playwright.sync_api import Page, TimeoutError, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.e2e.application import CHROMIUM_ARGUMENTS, DESKTOP
from tests.e2e.browser import find_or_install_browser
from tests.tl_core.small_trainings import COLOURS, Trainer, import_coloured, write_film

pytestmark = pytest.mark.e2e

SHOWN = "red"  # the class that the camera sees
TRIES, TRY_MILLISECONDS = 20, 3000
WARM_UP = 30  # answers, until everything that is loaded once is loaded


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("film") / "camera.mjpeg", COLOURS[SHOWN])


@pytest.fixture(scope="module")
def camera_browser(browser, film):
    running = browser.browser_type.launch(
        executable_path=find_or_install_browser(),
        args=[
            *CHROMIUM_ARGUMENTS,
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ],
    )
    yield running
    running.close()


@pytest.fixture(scope="module")
def run(app):
    train = Trainer(app.workspace.ensure())
    return train(import_coloured(app.workspace, COLOURS), epochs=6, keep_last_epochs=2).record


SETTLED = """() => document.querySelector("[data-testid=stApp]").dataset.testScriptState === "notRunning" """


@pytest.fixture
def look(camera_browser, app, run):
    """``look("camera")`` -> the Predict page with the section open, allowed to use the camera."""
    contexts = []

    def open_page(*permissions, script="", viewport=DESKTOP):
        context = camera_browser.new_context(viewport=viewport, permissions=list(permissions))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.sent = []
        page.on("websocket", lambda socket: socket.on("framesent", lambda data: page.sent.append(data)))
        if script:
            page.add_init_script(script)
        page.goto(app.at("Predict", run=run.id))
        page.get_by_role("radio", name="Live").wait_for()
        page.wait_for_function(SETTLED)  # what is opened earlier may be drawn once more, closed
        page.get_by_role("radio", name="Live").click()
        return page

    yield open_page
    for context in contexts:
        context.close()


def start(page):
    """Press until it takes effect: a component that was just mounted may be mounted once more."""
    for _ in range(TRIES):
        page.get_by_role("button", name="Start").click()
        with contextlib.suppress(AssertionError):
            expect(page.get_by_text("The camera is off.")).to_have_count(0, timeout=TRY_MILLISECONDS)
            return
    raise AssertionError("Start is not heard")


def wait_for_answers(page, amount):
    camera = page.locator(".camera").element_handle()
    page.wait_for_function("([camera, amount]) => Number(camera.dataset.answers) >= amount", arg=[camera, amount])


def remember_track(page):
    page.locator("video").evaluate("video => { window.track = video.srcObject.getVideoTracks()[0] }")
    assert page.evaluate("window.track.readyState") == "live"


def frames(page):
    """The pictures of the camera among what the browser has sent."""
    asked = [BackMsg.FromString(data).rerun_script for data in page.sent if isinstance(data, bytes)]
    found = []
    for message in asked:
        values = [widget.json_trigger_value for widget in message.widget_states.widgets if widget.json_trigger_value]
        if values:
            found.append((message.fragment_id, len(values[0])))
    return found


@pytest.mark.slow
def test_what_the_camera_sees_is_named_again_and_again(look):
    page = look("camera")
    assert not frames(page)
    start(page)
    wait_for_answers(page, 6)
    expect(page.locator(".headline")).to_contain_text(SHOWN)
    expect(page.locator(".bar.first .name")).to_have_text(SHOWN)
    expect(page.locator(".pace")).to_contain_text("answers per second")
    assert page.locator(".bar .name").all_inner_texts() == list(COLOURS), "each class keeps its row"
    sent = frames(page)
    assert len(sent) >= 6
    assert all(fragment for fragment, _ in sent), "only the camera is run again, not the whole page"
    assert max(size for _, size in sent) < 30_000 * 4 / 3 + 200
    assert int(page.locator(".camera").get_attribute("data-bytes")) <= 30_000


def test_stop_turns_the_camera_off_and_nothing_more_is_sent(look):
    page = look("camera")
    start(page)
    wait_for_answers(page, 1)
    remember_track(page)
    page.locator(".switch", has_text="Stop").click()  # Streamlit has a button of that name while a page is drawn
    assert page.evaluate("window.track.readyState") == "ended"
    expect(page.get_by_text("The camera is off.")).to_be_visible()
    answers, sent = page.locator(".camera").get_attribute("data-answers"), len(frames(page))
    start(page)
    wait_for_answers(page, int(answers) + 2)
    assert len(frames(page)) > sent
    remember_track(page)
    page.get_by_role("link", name="Evaluate").click()
    page.wait_for_function("window.track.readyState === 'ended'")


def test_a_tab_that_is_not_in_front_has_the_camera_off(look):
    page = look("camera")
    start(page)
    wait_for_answers(page, 1)
    remember_track(page)
    change = """hidden => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden })
        document.dispatchEvent(new Event("visibilitychange"))
    }"""
    page.evaluate(change, True)
    assert page.evaluate("window.track.readyState") == "ended"
    expect(page.get_by_text("Paused: the camera is off")).to_be_visible()
    page.evaluate(change, False)
    wait_for_answers(page, 3)


def test_a_refusal_says_what_to_do(look):
    page = look()
    start(page)
    expect(page.get_by_text("The camera is blocked for this page")).to_be_visible()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    assert not frames(page)


FAILS = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{}'))"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "starts", "words"),
    [
        (FAILS.format("NotFoundError"), True, "No camera was found."),
        (FAILS.format("NotReadableError"), True, "perhaps because another program has it"),
        (
            "Object.defineProperty(window, 'isSecureContext', { get: () => false })",
            False,
            "ask for its https address",
        ),
    ],
    ids=["no camera", "in use", "no https"],
)
def test_without_a_camera_it_says_why(look, script, starts, words):
    page = look("camera", script=script)
    if starts:
        start(page)
    expect(page.get_by_text(words)).to_be_visible()
    assert not frames(page)


@pytest.mark.slow
@pytest.mark.parametrize("answers", [30, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_the_server_does_not_grow_with_the_answers(look, app, answers):
    """A thousand pictures that stayed somewhere would be over 20 MB."""
    page = look("camera")
    page.set_default_timeout(600_000)
    start(page)
    wait_for_answers(page, WARM_UP)
    server = psutil.Process(app.process.pid)
    before = server.memory_info().rss
    wait_for_answers(page, WARM_UP + answers)
    assert server.memory_info().rss - before < 12e6


def choose_second(page: Page) -> None:
    """Open the list of epochs and choose from it; a list that is opened while the page is drawn anew closes again."""
    for _ in range(TRIES):
        page.locator(".st-key-predict-epoch input").press("ArrowDown")  # a list opened by a click closes on scrolling
        with contextlib.suppress(TimeoutError):
            page.get_by_role("option").nth(1).click(timeout=TRY_MILLISECONDS)
            return
    raise AssertionError("the list of epochs never stayed open")


@pytest.mark.slow
def test_another_epoch_predicts_while_the_camera_goes_on(look, run):
    page = look("camera")
    start(page)
    wait_for_answers(page, 2)
    choose_second(page)
    expect(page.get_by_text("Answers come from the model of epoch")).to_be_visible()
    wait_for_answers(page, 2)
    expect(page.locator(".headline")).to_contain_text(SHOWN)
