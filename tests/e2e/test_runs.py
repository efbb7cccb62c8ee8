"""Opening a run from the table, and taking its model away: what only a browser can show."""

import zipfile

import pytest
from playwright.sync_api import expect

from tests.ui.trained_runs import COLOURS, colour_dataset, coloured, ended_run

pytestmark = pytest.mark.e2e

HALF_A_ROW, ROW = 19, 38  # px
NAME = 150  # px from the left edge of the table into the column of names


@pytest.fixture(scope="module")
def runs(app):
    dataset = colour_dataset(app.workspace.ensure())
    return [ended_run(app.workspace, dataset, name) for name in ("First", "Second")]


def open_row(page, row):
    table = page.get_by_test_id("stDataFrame")
    expect(table.locator("canvas").first).to_be_visible()
    table.click(position={"x": NAME, "y": ROW * (row + 1) + HALF_A_ROW})


def test_open_shows_the_run_of_its_row_and_back_leads_to_the_list(app, page, runs):
    page.goto(app.at("Runs"))
    open_row(page, 1)  # newest first
    expect(page.get_by_role("heading", name="First")).to_be_visible()
    assert f"run={runs[0].id}" in page.url
    page.reload()
    expect(page.get_by_role("heading", name="First")).to_be_visible()
    page.get_by_role("button", name="All runs").click()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    assert "run=" not in page.url


def test_the_model_comes_as_one_zip(app, page, runs, tmp_path):
    page.goto(app.at("Runs", run=runs[1].id))
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the model").click()
    download.value.save_as(tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        assert archive.read("best.keras") == runs[1].folder.model_file.read_bytes()
        assert "labels.json" in archive.namelist()


def test_a_photo_of_ones_own_gets_its_class(app, page, runs):
    page.goto(app.at("Predict", run=runs[1].id))
    expect(page.get_by_text("Upload", exact=True).first).to_be_visible()
    photo = {"name": "photo.png", "mimeType": "image/png", "buffer": coloured(COLOURS["red"], 5)}
    page.locator("input[type=file]").first.set_input_files(photo)
    expect(page.get_by_role("heading", name="Almost certainly red")).to_be_visible()
    expect(page.get_by_role("img", name="photo.png, recognised as red")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(1)
