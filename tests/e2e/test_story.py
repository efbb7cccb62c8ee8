"""The main user stories, in the running application with a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ElementHandle, Page, expect

from tests.e2e.application import App
from tests.e2e.test_accessibility import SETTLED
from tl_core.data import Dataset, list_datasets
from tl_core.runs import find_run, list_runs, read_events

pytestmark = pytest.mark.e2e

TRAINING_MILLISECONDS = 240_000

# Reads the chart ten times a second: how many points it holds, and whether its element is still on the page.
WATCH_CHART = """(plot) => {
  window.watched = {sizes: new Set(), lost: false}
  window.setInterval(() => {
    const points = (plot.data ?? []).reduce((sum, trace) => sum + (trace.x?.length ?? 0), 0)
    window.watched.sizes.add(points)
    window.watched.lost ||= !plot.isConnected
  }, 100)
}"""
WATCHED = "() => ({movements: window.watched.sizes.size - 1, lost: window.watched.lost})"


def test_from_a_sample_set_to_the_right_answer_for_a_photo(app: App, page: Page):
    dataset = bring_sample(app, page, "Use surfaces")
    page.get_by_role("button", name="Train on these images").click()
    expect(page.get_by_text("Works well for most sets of images")).to_be_visible()
    set_epochs(page, 300)
    plot = start_training(page)
    plot.evaluate(WATCH_CHART)
    expect(page.get_by_role("button", name="Try it on a photo")).to_be_visible(timeout=TRAINING_MILLISECONDS)
    watched = page.evaluate(WATCHED)
    assert watched["movements"] >= 5
    assert not watched["lost"], "the chart's element was replaced while the curves grew"
    page.get_by_role("button", name="Try it on a photo").click()
    for name in dataset.classes:
        upload_picture(page, one_test_image(dataset, name))
        expect(page.get_by_role("heading", name=re.compile(rf"\b{re.escape(name)}$"))).to_be_visible()
        page.reload()


@pytest.mark.slow
def test_a_reloaded_page_shows_the_same_run_and_stop_keeps_a_usable_model(app: App, page: Page):
    bring_sample(app, page, "Use surfaces")
    page.get_by_role("button", name="Train on these images").click()
    set_epochs(page, 1000)
    start_training(page)
    run_id = wait_for_run_in_address(page)
    wait_until(page, lambda: epochs_of(app, run_id) >= 2)
    page.reload()
    expect(page.get_by_role("button", name="Stop and keep the best")).to_be_enabled()
    assert wait_for_run_in_address(page) == run_id
    page.get_by_role("button", name="Stop and keep the best").click()
    expect(page.get_by_role("button", name="Try it on a photo")).to_be_visible()
    run = find_run(app.workspace, run_id)
    assert run.status == "stopped"
    assert run.has_model
    page.get_by_role("button", name="Try it on a photo").click()
    page.get_by_role("button", name="Try with a test image").click()
    expect(page.get_by_text(re.compile(r"\d+([.,]\d+)? ?%")).first).to_be_visible()


@pytest.mark.slow
def test_a_second_browser_and_a_cancelled_run(app: App, page: Page):
    bring_sample(app, page, "Use surfaces")
    page.get_by_role("button", name="Train on these images").click()
    set_epochs(page, 1000)
    start_training(page)
    run_id = wait_for_run_in_address(page)
    other = page.context.browser.new_context().new_page()  # type: ignore[union-attr]
    other.goto(app.at("Train", run=run_id))
    other.get_by_role("button", name="Discard").click()
    other.get_by_role("button", name="Discard for good").click()
    expect(other.get_by_text("This run was discarded.")).to_be_visible()
    expect(page.get_by_text("This run was discarded.")).to_be_visible()
    assert run_id not in [run.id for run in list_runs(app.workspace)]
    other.context.close()


def bring_sample(app: App, page: Page, button: str) -> Dataset:
    known = {dataset.id for dataset in list_datasets(app.workspace)}
    page.goto(app.at("Data"))
    if known:
        page.get_by_text("New dataset").click()
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("button", name="Train on these images")).to_be_enabled()
    wait_until(page, lambda: {dataset.id for dataset in list_datasets(app.workspace)} - known)
    dataset = list_datasets(app.workspace)[0]
    page.wait_for_url(f"**dataset={dataset.id}**")  # until then the page shows the dataset before it
    page.wait_for_function(SETTLED)
    return dataset


def set_epochs(page: Page, epochs: int) -> None:
    field = page.get_by_role("spinbutton", name="Epochs", exact=True)
    field.fill(str(epochs))
    field.press("Enter")
    expect(page.get_by_text(re.compile(rf"for (up to )?{epochs} epochs"))).to_be_visible()


def start_training(page: Page) -> ElementHandle:
    page.get_by_role("button", name="Start training").click()
    plot = page.locator(".tlc-plot")
    expect(plot).to_be_visible()
    handle = plot.element_handle()
    assert handle is not None
    return handle


def wait_for_run_in_address(page: Page) -> str:
    page.wait_for_url(re.compile(r"[?&]run="))
    found = re.search(r"[?&]run=([a-z0-9-]+)", page.url)
    assert found
    return found.group(1)


def wait_until(page: Page, condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait for something on the disk, while the browser goes on."""
    for _ in range(int(seconds * 10)):
        if condition():
            return
        page.wait_for_timeout(100)
    pytest.fail(f"not within {seconds:g} s")


def epochs_of(app: App, run_id: str) -> int:
    events = read_events(find_run(app.workspace, run_id).folder.events_file)
    return sum(event["kind"] == "epoch" for event in events)


def upload_picture(page: Page, path: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(path)


def one_test_image(dataset: Dataset, name: str) -> Path:
    label = dataset.classes.index(name)
    return next(dataset.path_of(record) for record in dataset.of_split("test") if record.label == label)
