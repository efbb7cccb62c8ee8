"""The block map in a browser: it follows the slider, and takes the keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.application import PHONE, App
from tl_core.backbones.outline import load_outline
from tl_core.data.samples import import_sample
from tl_core.figures.palette import FROZEN, TRAINABLE

pytestmark = pytest.mark.e2e

COUNT = ".count"
FROZEN_CSS, TRAINABLE_CSS = (
    f"rgb({', '.join(str(int(color[place : place + 2], 16)) for place in (1, 3, 5))})"
    for color in (FROZEN, TRAINABLE)
)
LOOK_MILLISECONDS = 240_000  # the backbone is loaded, in a server that others ask too
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


def drag_to_the_middle(page: Page) -> None:
    """Take the slider's thumb along, and do not let it go."""
    slider = page.locator(".st-key-train_frozen_layers")
    held = slider.get_by_test_id("stSliderThumbValue").locator("..")
    held.hover()  # once it no longer moves
    thumb, track = held.bounding_box(), slider.get_by_role("group").bounding_box()
    assert thumb
    assert track
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] / 2, thumb["y"], steps=5)


@pytest.mark.slow
def test_the_map_follows_the_slider_before_it_is_let_go(page: Page, form: str):
    open_form(page, form)
    drag_to_the_middle(page)
    expect(page.locator(COUNT)).to_have_text(re.compile(r" M of .* learn \(\d+ %\)$"))
    expect(page.get_by_text("only the head learns").last).to_be_visible()  # Streamlit does not know of it yet
    page.mouse.up()
    expect(page.get_by_text("are fine-tuned in phase 2")).to_be_visible()


@pytest.mark.slow
def test_the_map_follows_a_slider_that_is_drawn_after_it(page: Page, form: str):
    held: list[Route] = []
    page.route(re.compile(r"/Slider\.[^/]+\.js$"), lambda route: held.append(route))  # a builtin cannot be marked
    open_form(page, form)
    assert held
    for route in held:
        route.continue_()
    drag_to_the_middle(page)
    expect(page.locator(COUNT)).to_have_text(re.compile(r" M of .* learn \(\d+ %\)$"))


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


@pytest.mark.slow
def test_the_chart_under_the_map_shows_what_each_block_knows(page: Page, form: str):
    open_form(page, form)
    page.get_by_role("button", name="What does each block know?").click()
    chart = page.locator(".st-key-train_probe_chart")
    expect(chart).to_be_visible(timeout=LOOK_MILLISECONDS)
    bars = chart.locator(".bars .point path")
    outline = load_outline("efficientnet_lite0")
    expect(bars).to_have_count(len(outline.blocks))
    expect(bars.last).to_have_css("fill", FROZEN_CSS)
    expect(page.get_by_text("a simple classifier gets").last).to_be_visible()

    page.locator(".st-key-train_frozen_layers").get_by_role("slider").press("Home")
    expect(bars.last).to_have_css("fill", TRAINABLE_CSS)
    expect(page.get_by_text("freezing them loses nothing").last).to_be_visible()


@pytest.mark.slow
def test_the_layers_show_what_they_see_in_a_picture(page: Page, form: str):
    open_form(page, form)
    asked = page.get_by_role("button", name="What does each block know?")
    chart = page.locator(".st-key-train_probe_chart")
    expect(asked.or_(chart)).to_be_visible()
    if asked.is_visible():  # the test before this one may have asked
        asked.click()
    expect(chart).to_be_visible(timeout=LOOK_MILLISECONDS)
    page.get_by_text("What the layers see", exact=True).click()
    expect(page.get_by_alt_text("Where Head conv responds")).to_be_visible(timeout=LOOK_MILLISECONDS)
    expect(page.get_by_alt_text(re.compile("^Map of channel"))).to_have_count(8)
    page.get_by_role("button", name="Block 2", exact=True).or_(
        page.get_by_role("radio", name="Block 2")
    ).first.click()
    expect(page.get_by_alt_text(re.compile(r"^Map of channel \d\d?$"))).to_have_count(8)
    expect(page.get_by_text("What a channel likes most").first).to_be_visible()
