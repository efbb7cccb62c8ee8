"""A model leaves the dashboard: made and proven on the page, downloaded, and used by a process of its own."""

import ast
import json
import re
import subprocess
import sys
import zipfile

import pytest
from playwright.sync_api import expect

from tests.ui.trained_runs import COLOURS, colour_dataset, coloured, ended_run

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def run(app):
    return ended_run(app.workspace, colour_dataset(app.workspace.ensure()), "To take away")


def test_a_model_is_proven_downloaded_and_used_elsewhere(app, page, run, tmp_path):
    page.goto(app.at("Runs", run=run.id))
    page.get_by_text("Take the model elsewhere").click()
    page.get_by_text("LiteRT (TFLite)", exact=True).click()
    page.get_by_role("button", name="Make and prove it").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.get_by_text(re.compile("Proven: loaded afresh"))).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download LiteRT").click()
    assert download.value.suggested_filename.endswith("-tflite.zip")
    download.value.save_as(tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as packed:
        packed.extractall(tmp_path)
    for number, (name, colour) in enumerate(COLOURS.items()):
        (tmp_path / f"{number}.png").write_bytes(coloured(colour, 7))
        words = [sys.executable, "-P", "predict.py", f"{number}.png"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert f": {name} (" in done.stdout


def test_the_code_of_a_run_comes_as_script_and_notebook(app, page, run, tmp_path):
    page.goto(app.at("Runs", run=run.id))
    page.get_by_text("The code of this run").click()
    for name, read in (("Python script", ast.parse), ("Notebook", json.loads)):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        download.value.save_as(tmp_path / name)
        assert read((tmp_path / name).read_text(encoding="utf-8"))
