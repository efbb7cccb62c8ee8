"""A model leaves the dashboard: made and proven on the page, downloaded, and used by a process of its own."""

import ast
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.application import App
from tests.ui.trained_runs import colour_dataset, coloured, ended_run
from tl_core.export.formats import FORMATS
from tl_core.inference.predict import predict_images
from tl_core.runs import RunRecord

pytestmark = pytest.mark.e2e

EVERYDAY = ("tflite",)  # the others take minutes more, and run with -m long
PICTURES = {"red": (220, 40, 40), "blue": (40, 40, 220), "rather red": (140, 40, 120), "rather blue": (110, 60, 125)}
ANSWER = re.compile(r"^(?P<file>.+): (?P<answer>.+) \((?P<percent>[\d.]+)%\)$", re.MULTILINE)
PRINTED = 0.0005  # what rounding to a tenth of a percent may hide
DIFFERENCE = {False: 1e-3, True: 0.02}  # allowed in a probability: of a format that keeps 32 bits, of a smaller one


@pytest.fixture
def run(app: App) -> RunRecord:
    """A new one for each test: a format that was made once is not made again."""
    return ended_run(app.workspace, colour_dataset(app.workspace.ensure()), "To take away")


def answers_of_the_page(run: RunRecord) -> dict[str, tuple[str, float]]:
    files = {f"{name}.png": coloured(colour, 7) for name, colour in PICTURES.items()}
    answers = predict_images(run.path, list(files.values()))
    return dict(zip(files, (answer.ranked[0] for answer in answers), strict=True))


def answers_elsewhere(folder: Path) -> dict[str, tuple[str, float]]:
    """The output of the program of an unpacked download, in a process without the dashboard's code."""
    for name, colour in PICTURES.items():
        (folder / f"{name}.png").write_bytes(coloured(colour, 7))
    words = [sys.executable, "-P", "predict.py", *(f"{name}.png" for name in PICTURES)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    found = ANSWER.finditer(done.stdout)
    return {one["file"]: (one["answer"], float(one["percent"]) / 100) for one in found}


def take_away(app: App, page: Page, run: RunRecord, name: str, folder: Path) -> None:
    """Make a format on the page, wait for its proof, download it by its button, and unpack it."""
    form = FORMATS[name]
    page.goto(app.at("Runs", run=run.id))
    page.get_by_text("Export the model").click()
    page.get_by_text(form.title, exact=True).click()
    page.get_by_role("button", name="Create and check").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.get_by_text(re.compile("Checked: loaded again"))).to_be_visible(timeout=180_000)
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {form.title} (").click()
    assert download.value.suggested_filename.endswith(f"-{name}.zip")
    download.value.save_as(folder / "model.zip")
    with zipfile.ZipFile(folder / "model.zip") as packed:
        packed.extractall(folder)


def check_format(app: App, page: Page, run: RunRecord, name: str, folder: Path) -> None:
    take_away(app, page, run, name, folder)
    here, elsewhere = answers_of_the_page(run), answers_elsewhere(folder)
    assert {answer for answer, _ in here.values()} == set(run.classes), "each class is an answer"
    assert min(probability for _, probability in here.values()) < 0.8, "there is a doubtful one, too"
    assert {file: answer for file, (answer, _) in elsewhere.items()} == {f: answer for f, (answer, _) in here.items()}
    for file, (_, probability) in here.items():
        allowed = DIFFERENCE[FORMATS[name].quantised] + PRINTED
        assert elsewhere[file][1] == pytest.approx(probability, abs=allowed), file


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERYDAY)
def test_a_model_is_proven_downloaded_and_used_elsewhere(app, page, run, tmp_path, name):
    check_format(app, page, run, name, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_downloaded_by_its_button_and_predicts_elsewhere_as_here(
    app, page, run, tmp_path, tensorflow_js, name
):
    check_format(app, page, run, name, tmp_path)


def test_the_code_of_a_run_comes_as_script_and_notebook(app, page, run, tmp_path):
    page.goto(app.at("Runs", run=run.id))
    page.get_by_text("The code of this run").click()
    for name, read in (("Python script", ast.parse), ("Notebook", json.loads)):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        download.value.save_as(tmp_path / name)
        assert read((tmp_path / name).read_text(encoding="utf-8"))
