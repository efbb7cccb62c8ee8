"""The Predict page in a real browser: where a model looked, two models, a whole zip, an imported model."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest
from playwright.sync_api import expect

from tests.hostile.models import exported
from tests.tl_core.small_trainings import COLOURS, Trainer, coloured, import_coloured
from tl_core.inference.calibration import Calibration, save_calibration

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def runs(app):
    """A model that always answers, and one that never does."""
    train = Trainer(app.workspace.ensure())
    dataset = import_coloured(app.workspace, COLOURS)
    sure, doubtful = (train(dataset, epochs=epochs).record for epochs in (6, 1))
    save_calibration(doubtful.workspace, doubtful, Calibration(model_sha256=doubtful.model_sha256, threshold=1.0))
    return sure, doubtful


@pytest.mark.slow
def test_two_models_predict_side_by_side_with_their_heatmaps(page, app, runs):
    sure, doubtful = runs
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(app.at("Predict", run=sure.id, **{"with": doubtful.id}))
    page.get_by_role("button", name="Try with a test image").click()
    expect(page.get_by_text("Right: the dataset says")).to_be_visible()
    expect(page.get_by_role("heading", name="I don't know")).to_be_visible()
    expect(page.get_by_text("Its best guess is")).to_be_in_viewport()
    page.get_by_text("Where did it look?").first.click()
    expect(page.get_by_alt_text("that speak for").filter(visible=True)).to_have_count(1)
    evidence = page.get_by_role("combobox", name="Show evidence for")
    evidence.hover()  # scrolls to it; a list that has just opened would close because of that
    evidence.click()
    unlikely = page.get_by_role("option").nth(2)
    name = unlikely.inner_text()
    unlikely.click()
    expect(page.get_by_alt_text(f"that speak for {name}")).to_have_count(1)


def test_a_zip_goes_in_and_a_table_comes_out(page, app, runs):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for place, (name, colour) in enumerate(COLOURS.items()):
            archive.writestr(f"many/{name}.png", coloured(colour, 700 + place))
        archive.writestr("many/notes.txt", "no picture")
    page.goto(app.at("Predict", run=runs[0].id))
    page.get_by_role("radio", name="Zip").click()
    upload = {"name": "many.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}
    page.locator(".st-key-predict-zip-file input[type=file]").set_input_files(upload)
    page.get_by_role("button", name="Recognise all pictures").click()
    expect(page.get_by_text("4 files: 1 ×")).to_be_visible()
    page.reload()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the table").click()
    rows = {row["file"]: row for row in csv.DictReader(download.value.path().read_text("utf-8-sig").splitlines())}
    assert {name: rows[f"many/{name}.png"]["answer"] for name in COLOURS} == {name: name for name in COLOURS}
    assert rows["many/notes.txt"]["error"]


@pytest.mark.slow
def test_a_model_from_a_file_is_imported_predicts_and_is_there_after_a_reload(page, app):
    page.goto(app.at("Predict"))
    page.get_by_role("radio", name="From a file").click()
    upload = {"name": "colours.zip", "mimeType": "application/zip", "buffer": exported()}
    page.locator("[class*=st-key-predict-brought-file] input[type=file]").set_input_files(upload)
    page.get_by_role("button", name="Open this model").click()
    expect(page.get_by_text("It knows 2 classes and always answers one of them: blue, red.")).to_be_visible()
    page.reload()
    picture = {"name": "red.png", "mimeType": "image/png", "buffer": coloured(COLOURS["red"], 7)}
    page.locator(".st-key-predict-files input[type=file]").set_input_files(picture)
    expect(page.get_by_role("heading", name="red", exact=False)).to_be_visible()
    page.get_by_role("button", name="Remove this model").click()
    expect(page.get_by_text("Model file", exact=True)).to_be_visible()
