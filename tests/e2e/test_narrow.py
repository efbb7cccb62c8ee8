"""On a phone no page scrolls sideways, at no moment from its first line to its last chart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.application import PHONE, App
from tests.e2e.conftest import WAIT_MILLISECONDS
from tests.tl_core.jobs.waiting import wait_until
from tests.tl_core.small_trainings import import_coloured
from tests.ui.trained_runs import colour_dataset, ended_run
from tl_core.config import TrainingConfig
from tl_core.runs import RunRecord, annotate_run

pytestmark = pytest.mark.e2e

# With each frame that is drawn: by how many pixels the page, or its main part, is wider than what is seen of it.
WATCH: Final = """
window.tooWide = {pixels: 0, at: ""};
const watch = () => {
  const parts = [document.documentElement, document.querySelector("[data-testid=stMain]")];
  for (const part of parts.filter(Boolean)) {
    const pixels = part.scrollWidth - part.clientWidth;
    if (pixels > window.tooWide.pixels) window.tooWide = {pixels, at: part.innerText.slice(-200)};
  }
  requestAnimationFrame(watch);
};
requestAnimationFrame(watch);
"""
NOTHING_MOVES: Final = """() => document.querySelectorAll("[data-testid=stSkeleton]").length === 0
  && document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning" """
NAME: Final = "A run whose name is as long as any that people give, with_a_word_that_cannot_be_broken"

# Page -> the request, and what it finally shows.
PAGES: Final[dict[str, tuple[Callable[[App, RunRecord, RunRecord], str], str]]] = {
    "Home": (lambda app, _run, _other: app.at(), "text=This machine"),
    "Data": (lambda app, run, _other: app.at("Data", dataset=run.dataset_id), ".js-plotly-plot .main-svg"),
    "Train": (lambda app, run, _other: app.at("Train", like=run.id), 'role=button[name="Start training"]'),
    "Train, a run": (lambda app, run, _other: app.at("Train", run=run.id), ".tlc-plot .main-svg"),
    "Runs": (lambda app, _run, _other: app.at("Runs"), "[data-testid=stDataFrame] canvas"),
    "Runs, one opened": (lambda app, run, _other: app.at("Runs", run=run.id), "text=Technical log"),
    "Runs, two compared": (
        lambda app, run, other: app.at("Runs", compare=f"{run.id},{other.id}"),
        'role=button[name="Train again"]',
    ),
    "Evaluate": (lambda app, run, _other: app.at("Evaluate", run=run.id), "text=When should it say"),
    "Predict": (lambda app, run, _other: app.at("Predict", run=run.id), 'role=button[name="Try with a test image"]'),
}


@pytest.fixture(scope="module")
def runs(app: App) -> tuple[RunRecord, RunRecord]:
    dataset = colour_dataset(app.workspace.ensure())
    first = ended_run(app.workspace, dataset, NAME)
    second = ended_run(app.workspace, dataset, f"{NAME} 2", config=replace(TrainingConfig(), learning_rate=1e-4))
    annotate_run(first.workspace, first.id, tags=["baseline", "the longest tag there is"])
    return first, second


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(WAIT_MILLISECONDS)
    page.add_init_script(WATCH)
    yield page
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_scrolls_sideways_at_390_px(app: App, phone: Page, runs, name: str):
    address, last = PAGES[name]
    phone.goto(address(app, *runs))
    expect(phone.locator(last).first).to_be_visible(timeout=WAIT_MILLISECONDS)
    phone.wait_for_function(NOTHING_MOVES)
    assert phone.evaluate("window.tooWide") == {"pixels": 0, "at": ""}


def test_a_list_that_comes_after_its_popover_has_opened_has_room(app: App, phone: Page, runs):
    file = app.workspace.weights / "weights.h5"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(1000))
    try:
        phone.goto(app.at("Runs"))
        button = phone.get_by_role("button", name="Choose what to delete")
        expect(button).to_be_visible()
        phone.wait_for_function(NOTHING_MOVES)
        button.evaluate("(button) => button.scrollIntoView({block: 'end'})")  # above the bar of the pages
        button.click()
        popover = phone.get_by_test_id("stPopoverBody")
        expect(popover.get_by_text("Keep all")).to_be_visible()
        phone.wait_for_function(NOTHING_MOVES)
        seen, whole = popover.evaluate("(body) => [body.clientHeight, body.scrollHeight]")
        assert seen > PHONE["height"] / 5
        assert seen >= min(whole, 0.6 * PHONE["height"])
    finally:
        file.unlink()


CUT: Final = """(options) => options.flatMap((option) => [option, ...option.children])
  .filter((node) => node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 1)
  .map((node) => node.innerText)"""


def test_a_list_shows_the_whole_of_long_names(app: App, phone: Page, runs):
    run, _ = runs
    phone.goto(app.at("Predict", run=run.id))
    phone.get_by_role("combobox", name="Compare with").click()
    options = phone.get_by_role("option")
    expect(options).to_have_count(2)
    assert options.evaluate_all(CUT) == []
    box = phone.get_by_test_id("stSelectboxVirtualDropdown").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    assert options.last.bounding_box()["height"] > 40, "the name needs more than one line"  # type: ignore[index]


def open_list(page: Page, name: str, option: Locator) -> None:
    """Press until the list shows this choice: it closes when the page is drawn anew, as a young one may be."""
    box = page.get_by_role("combobox", name=name, exact=True)
    wait_until(lambda: option.is_visible() or (box.get_attribute("aria-expanded") != "true" and box.click()))


def test_a_list_of_more_than_25_long_names_gives_them_two_lines(app: App, phone: Page):
    names = [f"Leaves of a tree in our school garden, picked in the month {number:05}" for number in range(26)]
    assert max(map(len, names)) == 64, "no class has a longer name"
    colours = {name: (9 * number, 255 - 9 * number, 99) for number, name in enumerate(names)}
    dataset = import_coloured(app.workspace.ensure(), colours, count=3)
    phone.goto(app.at("Data", dataset=dataset.id))
    options = phone.get_by_role("option")
    open_list(phone, "Class", options.filter(has_text="month 00001"))
    assert options.evaluate_all(CUT) == []
    phone.keyboard.press("Escape")
    phone.get_by_role("button", name="Classes").click()
    open_list(phone, "Classes to change", options.filter(has_text="month 00001"))
    assert options.evaluate_all(CUT) == []


def test_the_check_is_told_what_is_too_wide(app: App, phone: Page):
    phone.goto(app.at())
    expect(phone.get_by_text("This machine").first).to_be_visible()
    phone.evaluate(
        """() => document.querySelector("[data-testid=stMain]").insertAdjacentHTML(
          "beforeend", "<div style='align-self: start; min-width: 393px'>Three pixels</div>")"""
    )
    phone.wait_for_function("window.tooWide.pixels === 3")
