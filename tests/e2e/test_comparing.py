"""Was that change better? Runs over each other, what differs, a clone with a change, and its training."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.application import App
from tests.e2e.test_story import TRAINING_MILLISECONDS, set_epochs, start_training, wait_for_run_in_address
from tests.tl_core.small_trainings import QUICK
from tests.ui.trained_runs import colour_dataset, ended_run
from tl_core.runs import RunRecord, find_run

pytestmark = pytest.mark.e2e

PLAIN = replace(QUICK, epochs=2)
BETTER = replace(PLAIN, learning_rate=1e-3, batch_size=16)
SHOWN = """(plot) => plot.data.filter(trace => trace.showlegend)
  .map(trace => [trace.name, trace.line.dash, trace.x.length > 0])"""


@pytest.fixture(scope="module")
def runs(app: App) -> tuple[RunRecord, RunRecord]:
    dataset = colour_dataset(app.workspace.ensure())
    plain = ended_run(app.workspace, dataset, "Plain", accuracy=0.8, config=PLAIN)
    better = ended_run(app.workspace, dataset, "Better", accuracy=0.9, config=BETTER)
    return plain, better


def expect_curves_of(page: Page, names: set[str]) -> None:
    """The chart shows validation curves, drawn solid, of these runs and no others."""
    chart = page.locator(".tlc-plot")
    expect(chart.locator(".main-svg").first).to_be_visible()
    expect(chart).to_have_attribute("aria-label", re.compile(f"Curves of {len(names)} runs"))
    shown = chart.evaluate(SHOWN)
    assert {name for name, *_ in shown} == names
    assert all(dash == "solid" and drawn for _, dash, drawn in shown)


def difference(page: Page, setting: str) -> list[str]:
    """The values of one row of *What differs*, as its table exposes them to a screen reader."""
    rows = page.get_by_test_id("stDataFrame").get_by_role("row", include_hidden=True)
    row = rows.filter(has=page.get_by_role("gridcell", name=setting, exact=True, include_hidden=True))
    expect(row).to_have_count(1)
    return row.get_by_role("gridcell", include_hidden=True).all_text_contents()[1:]


@pytest.mark.slow
def test_from_curves_over_each_other_to_the_training_of_a_changed_clone(app: App, page: Page, runs):
    plain, better = runs
    page.goto(app.at("Runs", compare=plain.id))
    expect(page.get_by_text("Choose at least two runs")).to_be_visible()
    page.get_by_role("combobox", name="Runs to compare").press("ArrowDown")
    page.get_by_role("option", name=re.compile("^Better")).click()
    page.keyboard.press("Escape")
    expect_curves_of(page, {"Plain", "Better"})
    assert difference(page, "Learning rate") == ["0.01", "0.001"]
    assert difference(page, "Batch size") == ["8", "16"]
    assert f"{plain.id},{better.id}" in page.url.replace("%2C", ",")

    page.get_by_role("button", name="Train again").click()  # of the better one, which is proposed
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    set_epochs(page, 5)
    start_training(page)
    clone_id = wait_for_run_in_address(page)
    expect(page.get_by_role("button", name="Try it on a photo")).to_be_visible(timeout=TRAINING_MILLISECONDS)
    clone = find_run(app.workspace, clone_id)
    assert clone.config == replace(BETTER, epochs=5), "nothing but the change differs"
    assert clone.dataset_id == better.dataset_id

    page.goto(app.at("Runs", compare=f"{better.id},{clone.id}"))
    expect_curves_of(page, {"Better", clone.name})
    assert difference(page, "Epochs, feature extraction") == ["2", "5"]
