"""Changing a dataset in a real browser: select, move, undo; among the pictures and on the map."""

from __future__ import annotations

import contextlib
import re
import shutil

import pytest
from playwright.sync_api import Locator, Page, TimeoutError, expect

from tests.e2e.test_accessibility import SETTLED
from tests.ui.trained_runs import colour_dataset, ended_run
from tl_core.data import list_datasets

pytestmark = pytest.mark.e2e

TRIES = 5
TRY_MILLISECONDS = 10_000


def per_class(app) -> list[int]:
    [dataset] = list_datasets(app.workspace)
    return [sum(image.label == label for image in dataset.images) for label in range(len(dataset.classes))]


def choose(page: Page, name: str, option: str) -> None:
    """Open a list by its key and choose from it; one that is opened while the page is drawn anew closes again."""
    page.wait_for_function(SETTLED)
    for _ in range(TRIES):
        page.get_by_role("combobox", name=name).press("ArrowDown")
        with contextlib.suppress(TimeoutError):
            page.get_by_role("option", name=option, exact=True).click(timeout=TRY_MILLISECONDS)
            return
    raise AssertionError(f"the list “{name}” never stayed open")


@pytest.mark.slow
def test_images_are_selected_moved_to_another_class_and_moved_back_by_undo(app, page):
    classes = colour_dataset(app.workspace.ensure()).classes
    before = per_class(app)
    page.goto(app.at("Data"))
    choose(page, "Class", classes[0])
    for place in (0, 1):
        box = page.get_by_role("checkbox", name=re.compile(r"^Select (?!all)")).nth(place)
        box.locator("xpath=ancestor::label").click()
        expect(box).to_be_checked()
    expect(page.get_by_text("2 images selected")).to_be_visible()

    choose(page, "Move to class", classes[1])
    page.get_by_role("button", name="Move", exact=True).click()
    undo = page.get_by_role("button", name="Undo", exact=True)
    expect(undo).to_be_enabled()
    assert per_class(app) == [before[0] - 2, before[1] + 2, *before[2:]]
    expect(page.get_by_text("selected", exact=False)).to_have_count(0)

    undo.click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    assert per_class(app) == before


def open_map(app, page: Page) -> Locator:
    page.goto(app.at("Data"))
    page.get_by_role("radio", name="Map").or_(page.get_by_role("button", name="Map")).first.click()
    plot = page.locator(".tlm-plot[data-updates]")
    expect(plot).to_be_visible(timeout=180_000)  # the backbone looks at every image first
    plot.scroll_into_view_if_needed()
    return plot


def places_of(plot: Locator) -> list[tuple[float, float]]:
    """Where each image lies on the screen, in the dataset's order."""
    return plot.evaluate(
        """plot => {
            const [{ x, y }, { xaxis, yaxis }] = [plot.data[0], plot._fullLayout]
            const { left, top } = plot.getBoundingClientRect()
            return Array.from(x, (value, row) => [left + xaxis.d2p(value), top + yaxis.d2p(y[row])])
        }"""
    )


def draw_around(page: Page, places: list[tuple[float, float]]) -> None:
    left, right = min(x for x, _ in places) - 8, max(x for x, _ in places) + 3
    top, bottom = min(y for _, y in places) - 8, max(y for _, y in places) + 8
    page.mouse.move(left, top)
    page.mouse.down()
    for corner in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(*corner, steps=5)
    page.mouse.up()


def test_images_are_drawn_around_on_the_map_moved_and_moved_back_by_undo(app, page):
    shutil.rmtree(app.workspace.datasets)
    dataset = colour_dataset(app.workspace.ensure())
    run = ended_run(app.workspace, dataset, "First")
    before = per_class(app)
    plot = open_map(app, page)
    places = places_of(plot)
    first, *others = sorted(range(len(places)), key=lambda row: places[row])[:3]
    own = dataset.images[first].label
    page.mouse.move(*places[first])
    card = page.locator(".tlm-card")
    expect(card).to_contain_text(dataset.images[first].source_name)
    assert card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0

    draw_around(page, [places[row] for row in (first, *others)])
    chosen = page.get_by_text("images selected")
    expect(chosen).to_be_visible()
    boxes = page.get_by_role("checkbox", name="Select ", checked=True)
    expect(boxes).to_have_count(int(chosen.inner_text().split()[0]))
    choose(page, "Move to class", dataset.classes[1 - own])
    page.get_by_role("button", name="Move", exact=True).click()
    undo = page.get_by_role("button", name="Undo", exact=True)
    expect(undo).to_be_enabled()
    assert per_class(app)[1 - own] > before[1 - own]

    choose(page, "Colour by", f"Right or wrong: {run.name}")
    expect(page.locator(".tlm-legend button").filter(has_text="wrong")).to_contain_text(
        str(per_class(app)[1 - own] - before[1 - own])
    )
    undo.click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    assert per_class(app) == before
    expect(page.locator(".tlm-legend button").filter(has_text="wrong")).to_contain_text("wrong0")

    plot.scroll_into_view_if_needed()
    page.mouse.click(*places_of(plot)[others[0]])
    expect(page.get_by_text("Looks like ").first).to_be_visible()
