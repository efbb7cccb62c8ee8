"""A wrong answer, corrected where it is seen: into the images, trained again, compared."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.tl_core.small_trainings import COLOURS, Trainer, coloured, import_coloured
from tl_core.data import load_dataset
from tl_core.runs import list_runs

pytestmark = pytest.mark.e2e

PURPLE = (150, 60, 170)  # whatever a model of three other colours says about it is wrong
TRAINED_MILLISECONDS = 180_000  # the process that trains may have to start first


def test_a_wrong_answer_is_corrected_trained_again_and_compared(app, page: Page):
    dataset = import_coloured(app.workspace.ensure(), COLOURS)
    run = Trainer(app.workspace)(dataset).record
    page.goto(app.at("Predict", run=run.id))
    photo = {"name": "plum.png", "mimeType": "image/png", "buffer": coloured(PURPLE, 5)}
    page.locator(".st-key-predict-files input[type=file]").set_input_files(photo)
    page.get_by_role("button", name="Wrong? It is …").click()
    page.get_by_role("combobox", name="It is").fill("purple")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add to the training images").click()
    expect(page.get_by_text("since this model was trained: Added 1 image to purple.")).to_be_visible()
    assert load_dataset(dataset.path).classes == (*sorted(COLOURS)[:2], "purple", "red")

    page.get_by_role("button", name="Undo: added 1 image to purple").click()
    expect(page.get_by_text("since this model was trained")).to_be_hidden()
    page.get_by_role("button", name="Wrong? It is …").click()
    page.get_by_role("combobox", name="It is").press("ArrowDown")
    page.get_by_role("option", name="red", exact=True).click()
    page.get_by_role("button", name="Add to the training images").click()
    page.get_by_role("button", name="Train again with it").click()
    compare = page.get_by_role("button", name="Compare the two")
    expect(compare).to_be_visible(timeout=TRAINED_MILLISECONDS)
    again = list_runs(app.workspace)[0]
    assert (again.config, again.dataset_revision) == (run.config, load_dataset(dataset.path).revision)
    compare.click()
    expect(page.get_by_role("heading", name="What differs")).to_be_visible()
    for found in (run, again):
        expect(page.get_by_text(found.name, exact=False).first).to_be_visible()
