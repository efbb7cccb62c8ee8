"""The Train page and the list of runs, as far as only a browser can tell: what is in sight, and what a click does."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.application import PHONE, App
from tests.e2e.conftest import WAIT_MILLISECONDS
from tests.e2e.test_live_chart import EPOCHS, epoch_events, open_chart, wait_for_points, write, zoom
from tests.tl_core.figures.run_events import phase
from tests.ui.pages_without_browser import pictures
from tl_core.config import TrainingConfig
from tl_core.data import import_uploads
from tl_core.runs import EventLog, RunRecord, create_run, update_run
from tl_core.runs.store import now, this_process

pytestmark = pytest.mark.e2e

LAPTOP = {"width": 1440, "height": 900}
BAR = 60  # px of a phone's window that the bar of pages takes
BOTTOM = "() => document.querySelector('.tlc-plot').getBoundingClientRect().bottom"


@pytest.fixture(scope="module")
def run(app: App) -> RunRecord:
    """A run at work, as this process writes it."""
    dataset = import_uploads(app.workspace.ensure(), pictures(each=4), "Pets")
    run = create_run(app.workspace, TrainingConfig(), dataset, "Pets, EfficientNet-Lite0")
    return update_run(run.path, status="running", started=now(), owner=this_process())


@pytest.fixture(scope="module")
def writer(run: RunRecord):
    with EventLog(run.folder.events_file) as writer:
        write(writer, [phase("head", 1, 2 * EPOCHS), *epoch_events(1), *epoch_events(2), *epoch_events(3)])
        yield writer


@pytest.mark.parametrize("screen", [LAPTOP, PHONE], ids=["desktop", "phone"])
def test_the_curves_are_wholly_visible_while_it_trains(browser: Browser, app: App, run, writer, screen):
    context = browser.new_context(viewport=screen)
    page = context.new_page()
    page.set_default_timeout(WAIT_MILLISECONDS)
    open_chart(page, app, run)
    expect(page.get_by_role("button", name="Stop and keep the best")).to_be_in_viewport(ratio=1)
    expect(page.get_by_text(f"Epoch 3 of {2 * EPOCHS}")).to_be_in_viewport(ratio=1)
    assert page.locator(".tlc-plot").bounding_box()["y"] >= 0
    assert page.evaluate(BOTTOM) <= screen["height"] - (BAR if screen is PHONE else 0)
    context.close()


@pytest.mark.slow
def test_both_plots_are_zoomed_together_and_follow_the_newest_epoch(page: Page, app: App, run, writer):
    open_chart(page, app, run)
    follow = page.get_by_role("button", name="Follow", exact=True)
    expect(follow).to_be_hidden()
    zoom(page)
    accuracy, loss = page.evaluate("() => [node._fullLayout.xaxis.range, node._fullLayout.xaxis2.range]")
    assert accuracy == loss
    follow.click()
    write(writer, epoch_events(4))
    wait_for_points(page, 4)
    page.wait_for_function("() => Math.abs(node._fullLayout.xaxis.range[1] - 4) < 1e-6")
    from_, to = page.evaluate("() => node._fullLayout.xaxis2.range")
    assert to - from_ == pytest.approx(accuracy[1] - accuracy[0])
    page.get_by_role("button", name="Reset zoom").click()
    expect(follow).to_be_hidden()


def test_moving_the_slider_adds_phase_2(page: Page, app: App, run):
    page.goto(app.at("Train"))
    slider = page.locator(".st-key-train_frozen_layers input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("spinbutton", name="Fine-tuning epochs")).to_have_value("10")
    expect(page.get_by_text(re.compile("then fine-tuning for 10 epochs"))).to_be_visible()


@pytest.mark.slow
def test_a_row_of_the_list_opens_its_run_and_a_box_shows_its_curves(page: Page, app: App, run, writer):
    page.goto(app.at("Runs"))
    table = page.get_by_test_id("stDataFrame").first
    expect(table.locator("canvas").first).to_be_visible()
    table.click(position={"x": 18, "y": 38 + 19})
    expect(page.locator(".st-key-runs-act-open button")).to_be_visible()
    expect(page.locator(".tlc-plot")).to_have_attribute("aria-label", re.compile("Curves of 1 runs"))
    table.click(position={"x": 150, "y": 38 + 19})
    page.wait_for_url(re.compile(rf"/Runs\?.*run={run.id}"))
