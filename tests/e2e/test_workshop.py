"""Changing a dataset in a real browser: select, move, undo."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.ui.trained_runs import colour_dataset
from tl_core.data import list_datasets

pytestmark = pytest.mark.e2e


def per_class(app) -> list[int]:
    [dataset] = list_datasets(app.workspace)
    return [sum(image.label == label for image in dataset.images) for label in range(len(dataset.classes))]


def choose(page: Page, name: str, option: str) -> None:
    page.get_by_role("combobox", name=name).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_images_are_selected_moved_to_another_class_and_moved_back_by_undo(app, page):
    classes = colour_dataset(app.workspace.ensure()).classes
    before = per_class(app)
    page.goto(app.at("Data"))
    choose(page, "Class", classes[0])
    for place in (0, 1):
        box = page.get_by_role("checkbox", name="Select ").nth(place)
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
