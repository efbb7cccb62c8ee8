"""What every page has, in a real browser: one current dataset and model, a menu for phones, the answer in sight."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.application import PHONE, App
from tests.e2e.test_narrow import NOTHING_MOVES
from tests.ui.trained_runs import COLOURS, colour_dataset, coloured, ended_run
from tl_core.data import Dataset, rename_dataset
from tl_core.runs import RunRecord

pytestmark = pytest.mark.e2e

LARGE = {"width": 1440, "height": 900}
RED = {"name": "red.png", "mimeType": "image/png", "buffer": coloured(COLOURS["red"], 7)}
BAR = 56  # px, of the menu at the bottom of a phone
# Waited for: a page that is drawn anew has the menu a moment before its style.
AT_THE_FOOT = f"""() => document.querySelector(".st-key-frame-bar")?.getBoundingClientRect().top
  >= {PHONE["height"] - BAR - 2}"""


@pytest.fixture(scope="module")
def work(app: App) -> tuple[Dataset, RunRecord]:
    """The older of two datasets, and its run; the newer one is what pages show by themselves."""
    older = rename_dataset(app.workspace, colour_dataset(app.workspace.ensure()).id, "Older set")
    run = ended_run(app.workspace, older, "Older run")
    ended_run(app.workspace, colour_dataset(app.workspace), "Newer run")
    return older, run


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, is_mobile=True, has_touch=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


def menu(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("link", name=name, exact=True)


def bar(phone: Page, name: str) -> Locator:
    """In the bar at the foot of a phone; the menu at the side may still be on its way out of sight."""
    return menu(phone.locator(".st-key-frame-bar"), name)


def current(page: Page, which: str) -> Locator:
    return page.get_by_role("combobox", name=which)


def test_the_dataset_chosen_on_data_is_current_on_every_page_and_in_another_tab(app, page, work):
    page.goto(app.at("Data"))
    current(page, "Current dataset").click()
    page.get_by_role("option", name="Older set").click()
    expect(current(page, "Current model")).to_have_value("Older run · 90.0 % validation")
    for name in ("Train", "Evaluate", "Predict"):
        menu(page, name).click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(current(page, "Current dataset")).to_have_value("Older set")
        expect(current(page, "Current model")).to_have_value("Older run · 90.0 % validation")
    page.reload()
    expect(current(page, "Current dataset")).to_have_value("Older set")
    other = page.context.browser.new_context().new_page()  # type: ignore[union-attr]
    other.goto(page.url)
    expect(current(other, "Current model")).to_have_value("Older run · 90.0 % validation", timeout=60_000)
    other.context.close()


def answered_at(page: Page, height: int) -> None:
    """The answer, and its first bar, are inside the window without scrolling."""
    answer = page.get_by_role("heading", name="Almost certainly red")
    expect(answer).to_be_visible()
    page.wait_for_function("document.getAnimations().every(({ playState }) => playState !== 'running')")
    box = answer.bounding_box()
    assert box
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= height


@pytest.mark.parametrize("size", [LARGE, PHONE], ids=["1440x900", "390x844"])
def test_the_answer_to_a_photo_is_in_sight_and_outlives_a_reload(app, page, work, size):
    page.set_viewport_size(size)
    page.goto(app.at("Predict", run=work[1].id))
    page.locator(".st-key-predict-files input[type=file]").set_input_files(RED)
    answered_at(page, size["height"] - BAR)
    page.reload()
    answered_at(page, size["height"] - BAR)
    menu(page, "Runs").click()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    menu(page, "Predict").click()
    answered_at(page, size["height"] - BAR)


def in_sight(found: Locator, height: int) -> None:
    expect(found).to_be_visible()
    found.page.wait_for_function("document.getAnimations().every(({ playState }) => playState !== 'running')")
    box = found.bounding_box()
    assert box
    assert 0 <= box["y"] <= height - 24, box  # at least its first line


@pytest.mark.slow
@pytest.mark.parametrize("size", [LARGE, PHONE], ids=["1440x900", "390x844"])
def test_the_answers_to_several_photos_and_to_a_zip_are_in_sight(app, page, work, size):
    page.set_viewport_size(size)
    page.goto(app.at("Predict", run=work[1].id))
    photos = [{**RED, "name": f"{number}.png", "buffer": coloured(COLOURS["red"], number)} for number in (700, 701)]
    page.locator(".st-key-predict-files input[type=file]").set_input_files(photos)
    in_sight(page.get_by_text("2 pictures: 2 × red."), size["height"] - BAR)
    in_sight(page.locator(".st-key-predict-grid"), size["height"] - BAR)

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("red.png", photos[0]["buffer"])
    page.get_by_role("radio", name="Zip").click()
    many = {"name": "many.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}
    page.locator(".st-key-predict-zip-file input[type=file]").set_input_files(many)
    page.get_by_role("button", name="Recognise all pictures").click()
    in_sight(page.get_by_text("1 file: 1 × red."), size["height"] - BAR)
    in_sight(page.locator("[data-testid=stDataFrame]"), size["height"] - BAR)


def test_what_a_page_adds_to_its_address_takes_no_press_of_back(app, page, work):
    older, run = work
    page.goto(app.at(dataset=older.id))
    page.get_by_test_id("stMain").get_by_role("link", name="Older run").click()
    expect(page.get_by_role("heading", name="Older run")).to_be_visible()
    page.wait_for_url(lambda address: "/Runs" in address and older.id in address)
    page.go_back()
    expect(page.get_by_role("heading", name="Transfer learning", exact=True)).to_be_visible()
    page.go_forward()
    page.get_by_role("button", name="All runs").click()
    page.wait_for_url(lambda address: f"run={run.id}" not in address)
    page.go_back()
    expect(page.get_by_role("heading", name="Older run")).to_be_visible()  # a step of the person stays one


def test_the_settings_of_the_form_outlive_a_reload(app, page, work):
    page.goto(app.at("Train", dataset=work[0].id))
    epochs = page.get_by_role("spinbutton", name="Epochs", exact=True)
    epochs.fill("17")
    epochs.press("Enter")
    expect(page.get_by_text("feature extraction 60 → 17")).to_be_visible()
    page.reload()
    expect(page.get_by_text("feature extraction 60 → 17")).to_be_visible()
    expect(epochs).to_have_value("17")


LIGHT_ON_DARK = """(node) => {
  const { color, backgroundColor } = getComputedStyle(node)
  const [words, ground] = [color, backgroundColor].map((text) => Number(text.match(/\\d+/)[0]))
  return words > ground + 100
}"""


@pytest.mark.slow
def test_a_server_that_has_ended_is_told_in_our_own_words_and_in_the_colours_of_the_theme(start_app, page):
    own = start_app()
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    page.goto(own.at())
    expect(page.get_by_role("heading", name="Transfer learning", exact=True)).to_be_visible()
    page.wait_for_function("window.transferLearningFrame")
    page.locator(".st-key-frame-training").evaluate("(node) => (node.innerHTML = `<a href='#'><p>Photos</p></a>`)")
    own.process.kill()
    expect(page.get_by_role("heading", name="The dashboard does not answer")).to_be_visible()
    command = page.get_by_text("streamlit run app.py")
    expect(command).to_be_visible()
    assert command.evaluate(LIGHT_ON_DARK)
    expect(page.get_by_text("yourscript.py")).to_be_hidden()
    expect(page.get_by_text("Connecting")).to_be_hidden()  # it would print over the training at work


def test_the_menu_of_a_phone_is_always_there_and_never_in_the_way(app, phone, work):
    phone.goto(app.at(run=work[1].id))
    for name in ("Data", "Train", "Runs", "Evaluate", "Predict", "Home"):
        bar(phone, name).tap()
        title = "Transfer learning" if name == "Home" else name
        heading = phone.get_by_role("heading", name=title, exact=True, level=1)
        expect(heading).to_be_visible()
        expect(phone.get_by_test_id("stSidebar")).to_be_hidden()
        phone.wait_for_function(AT_THE_FOOT)
        assert heading.bounding_box()["y"] < BAR


@pytest.mark.slow
def test_on_a_phone_an_import_ends_at_the_beginning_of_its_dataset_and_its_message_covers_no_choice(phone, start_app):
    own = start_app()
    phone.goto(own.at("Data", way="sample"))
    phone.get_by_role("button", name="Use surfaces").tap()
    message = phone.get_by_test_id("stToast")
    expect(message).to_be_visible()
    box = message.bounding_box()  # at once: it goes after four seconds
    expect(phone.get_by_role("heading", name="Surfaces")).to_be_in_viewport()
    expect(phone.get_by_role("button", name="Train on these images")).to_be_in_viewport()
    assert box
    assert PHONE["height"] / 2 < box["y"] < box["y"] + box["height"] < PHONE["height"] - BAR


def test_the_menu_of_streamlit_leaves_with_the_title_and_covers_nothing_below_it(app, phone, work):
    phone.goto(app.at("Train", dataset=work[0].id))
    phone.locator(".st-key-train_frozen_layers").wait_for()
    phone.wait_for_function("window.transferLearningFrame")
    opener = phone.get_by_test_id("stMainMenu")
    expect(opener).to_be_in_viewport()
    main = phone.get_by_test_id("stMain")
    main.evaluate("(node) => node.scrollTo(0, 300)")
    expect(opener).not_to_be_in_viewport()
    main.evaluate("(node) => node.scrollTo(0, 0)")
    expect(opener).to_be_in_viewport()


def test_a_swipe_that_begins_on_a_slider_scrolls_the_page_and_changes_nothing(app, phone, work):
    phone.goto(app.at("Train", dataset=work[0].id))
    slider = phone.locator(".st-key-train_frozen_layers")
    slider.wait_for()
    phone.wait_for_function(NOTHING_MOVES)
    slider.evaluate("(node) => node.scrollIntoView({ block: 'center' })")
    value = slider.locator("input[type=range]").input_value()
    track = slider.get_by_role("group").bounding_box()
    assert track
    x, y = track["x"] + track["width"] / 2, track["y"] + track["height"] / 2
    scrolled = "document.querySelector('[data-testid=stMain]').scrollTop"
    before = phone.evaluate(scrolled)
    finger = phone.context.new_cdp_session(phone)
    for moved in range(0, 260, 20):
        kind, points = ("touchMove" if moved else "touchStart"), [{"x": x, "y": y - moved}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        phone.evaluate("new Promise(requestAnimationFrame)")
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    phone.wait_for_function(f"{scrolled} >= {before} + 150")
    assert slider.locator("input[type=range]").input_value() == value


ABOVE_THE_PAGE = """() => {
  const { y, height } = document.querySelector(".st-key-frame-head").getBoundingClientRect()
  return y + height
}"""


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(LARGE, id="1440", marks=pytest.mark.slow),
        pytest.param({"width": 1000, "height": 800}, id="1000", marks=pytest.mark.slow),
        pytest.param(PHONE, id="390"),
    ],
)
def test_the_page_stays_where_it_is_when_a_training_comes_and_its_line_grows(app, page, work, size):
    page.set_viewport_size(size)
    page.goto(app.at("Evaluate", run=work[1].id))
    expect(current(page, "Current model")).to_be_visible()
    page.wait_for_function(NOTHING_MOVES)
    before = page.evaluate(ABOVE_THE_PAGE)
    place = page.locator(".st-key-frame-training")
    for words in (
        "<b>Photos</b> starting",
        "<b>A very long name of a dataset</b> epoch 12/60 · 2 min left",
    ):
        place.evaluate("(node, words) => (node.innerHTML = `<a href='#'><p>${words}</p></a>`)", words)
        assert page.evaluate(ABOVE_THE_PAGE) == before
