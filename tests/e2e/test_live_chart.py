"""The live chart in a real browser: it grows without being replaced, and leaves the reader's zoom alone."""

from __future__ import annotations

import csv

import pytest
from playwright.sync_api import expect

from tests.tl_core.figures.run_events import batch, end, epoch, phase
from tests.ui.pages_without_browser import pictures
from tl_core.config import TrainingConfig
from tl_core.data import import_uploads
from tl_core.runs import EventLog, create_run, update_run
from tl_core.runs.store import now, this_process

pytestmark = pytest.mark.e2e

EPOCHS = 8
NODE = "document.querySelector('.tlc-plot')"
RANGES = "[node._fullLayout.xaxis.range, node._fullLayout.yaxis.range]"


def epoch_events(number):
    batches = [batch(number, place, loss=1 / number, accuracy=1 - 0.5 / number) for place in range(1, 11)]
    return [*batches, epoch(number, val_loss=1 / number, val_accuracy=1 - 0.5 / number, best=True)]


@pytest.fixture
def run(app):
    """A run that is being written by this process, as a training would write it."""
    dataset = import_uploads(app.workspace.ensure(), pictures(each=4), "Pets")
    run = create_run(app.workspace, TrainingConfig(), dataset, "Grüße <b>run</b>")
    return update_run(run.path, status="running", started=now(), owner=this_process())


@pytest.fixture
def writer(run):
    with EventLog(run.folder.events_file) as writer:
        write(writer, [phase("head", 1, EPOCHS), *epoch_events(1)])
        yield writer


def write(writer, events):
    for event in events:
        writer.write(**event)


def open_chart(page, app, run):
    page.goto(app.at("Train", run=run.id))
    page.wait_for_function(f"() => Number({NODE}?.dataset.updates) > 0")
    page.evaluate(f"() => {{ window.node = {NODE} }}")


def wait_for_points(page, count):
    page.wait_for_function(
        f"() => node.data.find((trace) => trace.uid === 'loss-validation').x.length >= {count}", polling=200
    )


def zoom(page):
    box = page.locator(".tlc-plot").bounding_box()
    page.mouse.move(box["x"] + 130, box["y"] + 130)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 250, steps=5)
    page.mouse.up()
    page.wait_for_function("() => node._fullLayout.xaxis.autorange === false")


def test_the_chart_grows_in_place_and_keeps_zoom_and_smoothing(page, app, run, writer):
    open_chart(page, app, run)
    zoom(page)
    page.get_by_label("Smoothing").fill("0.6")
    before = page.evaluate(f"() => {RANGES}")
    top = page.evaluate("() => node.getBoundingClientRect().top")
    for number in range(2, EPOCHS + 1):
        write(writer, epoch_events(number))
        wait_for_points(page, number)
    assert page.evaluate(f"() => {NODE} === node && node.isConnected")
    assert page.evaluate(f"() => {RANGES}") == before
    assert page.evaluate("() => node.getBoundingClientRect().top") == top
    assert page.get_by_label("Smoothing").input_value() == "0.6"
    assert f"epochs 1 to {EPOCHS}" in page.get_by_role("img", name="Training curves").get_attribute("aria-label")

    write(writer, [end()])
    update_run(run.path, status="done", finished=now())
    expect(page.get_by_text("Done.")).to_be_visible()
    assert page.evaluate(f"() => {NODE} === node && node.isConnected")
    page.get_by_role("button", name="Reset zoom").click()
    page.wait_for_function(f"() => node._fullLayout.xaxis.range[1] >= {EPOCHS}")


@pytest.mark.slow
def test_the_table_and_the_picture_can_be_downloaded(page, app, run, writer):
    write(writer, epoch_events(2))
    open_chart(page, app, run)
    wait_for_points(page, 2)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename == "Gru-e-b-run-b-curves.csv"
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert [(row["epoch"], row["val_loss"]) for row in rows] == [("1", "1"), ("2", "0.5")]
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_it_is_drawn_in_the_colours_of_the_theme(page, app, run, writer):
    backgrounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        open_chart(page, app, run)
        backgrounds.append(page.evaluate("() => node._fullLayout.paper_bgcolor"))
    assert len(set(backgrounds)) == 2


@pytest.mark.slow
def test_on_a_phone_the_plots_stand_one_above_the_other(page, app, run, writer):
    page.set_viewport_size({"width": 390, "height": 844})
    open_chart(page, app, run)
    upper, lower = page.evaluate("() => [node._fullLayout.yaxis.domain, node._fullLayout.yaxis2.domain]")
    assert upper[0] > lower[1]
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390


@pytest.mark.slow
def test_plotly_is_loaded_once_for_all_charts(page, app, run, writer):
    addresses = []
    page.on("request", lambda request: addresses.append(request.url))
    open_chart(page, app, run)
    for number in (2, 3):
        write(writer, epoch_events(number))
        wait_for_points(page, number)
    assert len([address for address in addresses if "plotly-" in address]) == 1
    assert {address.split("/")[2].split(":")[0] for address in addresses if "//" in address} == {"localhost"}
