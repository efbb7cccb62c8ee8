"""Labelling by pointing, from unlabelled files to a dataset, with a reload in between."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.application import App
from tests.tl_core.small_trainings import COLOURS, coloured
from tl_core.data import list_datasets

pytestmark = pytest.mark.e2e

EACH = 20
CHOSEN = ("blue", "red")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two kinds of pictures; their names begin with what they are."""
    found = []
    for place, name in enumerate(CHOSEN):
        for number in range(EACH):
            path = tmp_path / f"{name}-{number}.png"
            path.write_bytes(coloured(COLOURS[name], 100 * place + number))
            found.append(path)
    return found


def kinds(page: Page) -> list[str]:
    """What the pictures of the question are, in their order."""
    return [
        str(alt).partition("-")[0] for alt in page.locator(".tile img").evaluate_all("all => all.map(x => x.alt)")
    ]


def answer(page: Page) -> None:
    """Say the truth: press what does not belong to the first picture, then the number of its class."""
    question = page.locator(".board").get_attribute("data-question")
    found = kinds(page)
    for place, kind in enumerate(found):
        if kind != found[0]:
            page.locator(".tile").nth(place).click()
    page.locator(".title").click()
    page.keyboard.press(str(CHOSEN.index(found[0]) + 1))
    expect(page.locator(".board")).not_to_have_attribute("data-question", str(question))


def test_unlabelled_pictures_become_a_dataset_by_a_few_clicks(app: App, page: Page, files: list[Path]):
    page.goto(app.at("Data"))
    page.get_by_role("tab", name="Label by pointing").click()
    page.locator("[data-testid=stFileUploader]", has_text="Images of all classes").locator("input").set_input_files(
        files
    )
    names = page.get_by_role("textbox", name="Classes to tell apart")
    names.press_sequentially(", ".join(CHOSEN), delay=60)  # while the pictures arrive and are drawn above
    expect(page.locator(".pile .count", has_text=f"{2 * EACH} pictures")).to_be_visible()
    expect(names).to_have_value(", ".join(CHOSEN))
    page.get_by_role("button", name="Begin", exact=True).click()  # the press brings along what was typed

    expect(page.locator(".tile").first).to_be_visible(timeout=240_000)  # the backbone is loaded
    for _ in range(4):
        answer(page)
    page.locator(".title").click()
    page.keyboard.press("u")
    expect(page.locator(".board")).to_have_attribute("data-steps", "3")
    page.keyboard.press("s")
    expect(page.locator(".board")).to_have_attribute("data-steps", "4")
    page.reload()
    expect(page.locator(".board")).to_have_attribute("data-steps", "4")
    page.get_by_role("button", name="Delete", exact=True).click()  # the one way to lose it asks, and says what goes
    expect(page.get_by_text("labels that you gave them will be gone from here")).to_be_visible()
    page.get_by_role("button", name="Keep it").click()
    page.get_by_role("button", name="Leave it for now").click()
    expect(page.locator(".board")).to_have_count(0)
    page.goto(app.at("Data", way="pointing"))
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".board")).to_have_attribute("data-steps", "4")
    for _ in range(10):
        answer(page)
    expect(page.get_by_text("judged by your answers")).to_be_visible()

    page.get_by_role("button", name="Add a class").click()
    page.get_by_role("textbox", name="Name of the class").fill("green")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("No picture of green is labelled yet")).to_be_visible()
    make = page.get_by_role("button", name="Make the dataset")
    expect(make).to_be_disabled()
    page.get_by_text("None of the pictures shows one").click()
    expect(make).to_be_enabled()
    make.click()
    page.wait_for_url(re.compile("dataset="))
    [dataset] = list_datasets(app.workspace)
    assert dataset.classes == CHOSEN
    wrong = [record for record in dataset.images if not record.source_name.startswith(dataset.classes[record.label])]
    assert wrong == []
    assert len(dataset.images) + len(dataset.skipped) == 2 * EACH
    assert re.search(r"labelling by pointing \(\d+ images by hand, \d+ concluded\)", dataset.source)
    expect(page.get_by_role("button", name="Train on these images")).to_be_enabled()
