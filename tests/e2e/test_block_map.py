"""The block map in a browser: it follows the slider, and takes the keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.application import PHONE, App
from tl_core.data.samples import import_sample

pytestmark = pytest.mark.e2e

COUNT = ".count"
HEAD_ALONE = re.compile(r"^\d+ k of|^[\d,]+ of|^[\d.]+ k of")


@pytest.fixture(scope="module")
def form(app: App) -> str:
    """Address of the Train page, with a dataset to train on."""
    import_sample(app.workspace, "surfaces")
    return app.at("Train")


def open_form(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator(COUNT)).to_have_text(re.compile("parameters learn"))
    page.get_by_text("All", exact=True).click()
    expect(page.locator(COUNT)).to_have_text(HEAD_ALONE)


def test_the_map_follows_the_slider_before_it_is_let_go(page: Page, form: str):
    open_form(page, form)
    slider = page.locator(".st-key-train_frozen_layers")
    thumb = slider.get_by_test_id("stSliderThumbValue").locator("..").bounding_box()
    track = slider.get_by_role("group").bounding_box()
    assert thumb
    assert track
    page.mouse.move(thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] / 2, thumb["y"], steps=5)
    expect(page.locator(COUNT)).to_have_text(re.compile(r" M of .* learn \(\d+ %\)$"))
    expect(page.get_by_text("only the head learns").last).to_be_visible()  # Streamlit does not know of it yet
    page.mouse.up()
    expect(page.get_by_text("are fine-tuned in phase 2")).to_be_visible()


def test_a_block_can_be_chosen_by_keyboard_alone(page: Page, form: str):
    open_form(page, form)
    blocks = page.locator(".block")
    blocks.last.focus()
    page.keyboard.press("ArrowLeft")
    chosen = blocks.nth(blocks.count() - 2)
    expect(chosen).to_be_focused()
    page.keyboard.press("Enter")
    expect(chosen).to_have_attribute("aria-label", re.compile(", trainable"))
    expect(blocks.first).to_have_attribute("aria-label", re.compile(", frozen"))
    expect(page.get_by_text("are fine-tuned in phase 2")).to_be_visible()
    expect(chosen).to_be_focused()


def test_the_map_fits_on_a_phone(page: Page, form: str):
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    open_form(page, form)
    box = page.locator(".map").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
