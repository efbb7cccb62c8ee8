"""From a cell of the confusion matrix to its images, and from an image to the evidence for a class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.application import PHONE, App
from tests.e2e.conftest import WAIT_MILLISECONDS
from tests.tl_core.small_trainings import COLOURS, Trainer, import_coloured
from tl_core.evaluation.evaluate import evaluate_run
from tl_core.evaluation.ranking import of_cell
from ui.evaluate_page.images import cell_sentence

pytestmark = pytest.mark.e2e

PLOT = ".js-plotly-plot"
DRAGGED = 150  # px
SETTLED = """() => document.querySelector("[data-testid=stApp]").dataset.testScriptState === "notRunning" """


@pytest.fixture(scope="module")
def run(app: App):
    dataset = import_coloured(app.workspace.ensure(), COLOURS)
    return Trainer(app.workspace)(dataset).record


@pytest.fixture(scope="module")
def mixed_up(app: App):
    """A run on two classes that cannot be separated."""
    dataset = import_coloured(app.workspace.ensure(), {"one": (120, 120, 120), "two": (121, 120, 120)})
    return Trainer(app.workspace)(dataset, epochs=1).record


def click_cell(page: Page, classes: Sequence[str], row: int, column: int) -> None:
    """Click somewhere in a cell, not on its middle, once the matrix reports this cell under the pointer."""
    chart = page.locator(PLOT).first
    verdict = "recognised" if row == column else f"taken for {classes[column]}"
    told = chart.locator(".hovertext").filter(has_text=re.compile(f"^{classes[row]}: .*{verdict}"))
    area = chart.locator(".nsewdrag")
    for attempt in range(300):
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        assert box
        x = box["x"] + box["width"] * (column + 0.3) / len(classes)
        y = box["y"] + box["height"] * (row + 0.7) / len(classes)
        page.mouse.move(x + attempt % 2, y)
        if told.count() and area.bounding_box() == box:
            page.mouse.click(x, y)
            return
        page.wait_for_timeout(100)
    pytest.fail("the matrix did not say what lies under the pointer")


@pytest.mark.slow
def test_a_cell_opens_its_images_and_an_image_its_heat_map(app: App, page: Page, run):
    result = evaluate_run(run.path, app.workspace.datasets / run.dataset_id, "test")
    page.goto(app.at("Evaluate", run=run.id))
    assert result.accuracy == 1  # so no mistake is shown yet, and the first image to look at is one of the cell
    images = len(of_cell(result.probabilities, result.labels, 1, 1))
    click_cell(page, run.classes, 1, 1)
    expect(page.get_by_text(cell_sentence(run.classes, 1, 1, images).replace("*", ""))).to_be_visible()
    expect(page.get_by_role("button", name="Look closer")).to_have_count(images)
    page.get_by_role("button", name="Look closer").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("img", name=f"what pushed it towards {run.classes[1]}")).to_be_visible()
    dialog.get_by_role("combobox").first.press("ArrowDown")
    page.get_by_role("option", name=run.classes[0]).click()
    expect(dialog.get_by_role("img", name=f"what pushed it towards {run.classes[0]}")).to_be_visible()
    dialog.get_by_role("button", name="Find them").click()
    expect(dialog.get_by_role("img", name=f"Training image of {run.classes[1]}").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def drag_finger(page: Page, area: Locator, down: int) -> None:
    """Put a finger on the middle of an element, and draw it so many pixels down the screen."""
    box = area.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 16):
        points = [{"x": x, "y": y + down * step / 15}]
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.mark.slow
def test_a_tap_opens_the_images_of_its_cell_and_a_finger_scrolls_over_the_matrix(app: App, browser: Browser, run):
    result = evaluate_run(run.path, app.workspace.datasets / run.dataset_id, "test")
    context = browser.new_context(viewport=PHONE, is_mobile=True, has_touch=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(WAIT_MILLISECONDS)
    page.goto(app.at("Evaluate", run=run.id))
    area = page.locator(PLOT).first.locator(".nsewdrag")
    area.wait_for()
    page.wait_for_function(SETTLED)
    main = page.get_by_test_id("stMain")
    for row, column in ((1, 1), (0, 2), (0, 0)):  # the second has no images
        page.wait_for_function(SETTLED)  # a page that still grows or shrinks moves the cell from under the finger
        area.evaluate("(area) => area.scrollIntoView({ block: 'center' })")
        box = area.bounding_box()
        assert box
        x, y = (
            box[side] + box[length] * place
            for side, length, place in (("x", "width", (column + 0.3) / 3), ("y", "height", (row + 0.7) / 3))
        )
        page.touchscreen.tap(x, y)
        images = len(of_cell(result.probabilities, result.labels, row, column))
        sentence = cell_sentence(run.classes, row, column, images).replace("*", "")
        expect(page.get_by_text(sentence)).to_be_visible()
        expect(page.get_by_role("button", name="Look closer")).to_have_count(images)
    area.evaluate("(area) => area.scrollIntoView({ block: 'center' })")
    before = main.evaluate("(main) => main.scrollTop")
    drag_finger(page, area, -DRAGGED)
    assert main.evaluate("(main) => main.scrollTop") > before + DRAGGED / 2
    page.wait_for_function(SETTLED)
    expect(page.get_by_text(sentence)).to_be_visible()  # the cell under the finger was not meant
    context.close()


@pytest.mark.slow
def test_a_confusion_in_the_list_opens_its_images_with_the_keyboard(app: App, page: Page, mixed_up):
    page.goto(app.at("Evaluate", run=mixed_up.id))
    button = page.get_by_role("button", name="taken for").first
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("taken for").last).to_be_visible()
    expect(page.get_by_role("radio", name="One cell of the matrix")).to_be_checked()
    expect(page.get_by_role("button", name="Look closer").first).to_be_visible()


@pytest.mark.slow
def test_the_report_is_read_without_a_network(app: App, page: Page, run, tmp_path: Path):
    page.goto(app.at("Evaluate", run=run.id))
    with page.expect_download() as download:
        page.get_by_role("button", name="Download report").click()
    report = tmp_path / download.value.suggested_filename
    download.value.save_as(report)
    page.context.set_offline(True)
    asked, told = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(report.as_uri())
    expect(page.locator(f"{PLOT} .main-svg").first).to_be_visible()
    expect(page.locator(PLOT)).to_have_count(5)  # matrix, ROC, precision-recall, calibration, coverage
    expect(page.get_by_role("cell", name="100.0 %").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert told == []
