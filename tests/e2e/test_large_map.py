"""The map of 20,000 images: drawn, pointed at, drawn around, dragged and zoomed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from benchmarks.map_in_browser import IMAGES, STEPS, drag_and_zoom, invented_kind, open_map, store_places
from benchmarks.synthetic import make_dataset
from tests.e2e.test_workshop import places_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

LONGEST_TASK = 5.0  # seconds in which the page may answer nothing, on a busy machine without a GPU


def colours_of(picture: bytes) -> int:
    """How many pixels are neither white nor grey."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), np.int16)
    return int((np.ptp(pixels, axis=2) > 60).sum())


def test_twenty_thousand_images_are_drawn_pointed_at_drawn_around_and_moved(app, page: Page):
    dataset = make_dataset(app.workspace.ensure().datasets, invented_kind(IMAGES))
    store_places(dataset)
    page.goto(app.at("Data", dataset=dataset.id))
    plot = open_map(page)
    assert plot.evaluate("plot => [plot.data[0].type, plot.data[0].x.length]") == ["scattergl", IMAGES]
    assert colours_of(plot.screenshot()) > 20_000

    places = np.array(places_of(plot))
    page.mouse.move(*places[0])
    card = page.locator(".tlm-card")
    expect(card).to_contain_text(".png")
    assert card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0

    found = drag_and_zoom(page, plot, STEPS)
    assert found.longest_task < LONGEST_TASK
    page.locator(".tlm-reset").click()

    page.locator(".tlm").get_by_role("button", name="Lasso").click()
    first = np.array([image.label == 0 for image in dataset.images])
    (left, top), (right, bottom) = (places[first].mean(axis=0) + side * places[first].std(axis=0) for side in (-1, 1))
    inside = int(((places > (left, top)) & (places < (right, bottom))).all(axis=1).sum())
    page.mouse.move(left, top)
    page.mouse.down()
    for corner in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(*corner, steps=5)
    page.mouse.up()
    told = page.get_by_text("images selected")
    expect(told).to_be_visible()
    assert int(told.inner_text().split()[0].replace(",", "")) == pytest.approx(inside, rel=0.05)
    assert inside > 500
