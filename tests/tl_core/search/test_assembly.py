"""A run whose model becomes an ensemble is a run like any other: asked, explained, exported, written as a program."""

from __future__ import annotations

import ast
from dataclasses import replace

import numpy as np
import pytest

from tests.tl_core.small_trainings import QUICK, Trainer
from tl_core.command_line import main
from tl_core.data import read_image, resize_image
from tl_core.evaluation.evaluate import evaluate_run
from tl_core.export.exporting import export_run
from tl_core.export.formats import FORMATS
from tl_core.export.program import as_script, write_program
from tl_core.imported_models.check.model_file import check_model_file
from tl_core.inference.grad_cam import open_grad_cam
from tl_core.inference.predictor import open_predictor
from tl_core.runs import load_run
from tl_core.runs.evaluations import read_metrics
from tl_core.search.assembly import Member, assemble

OTHER = replace(QUICK, image_size=48, head=replace(QUICK.head, blocks=2, pooling="both"), epochs=2)
FEATURES = 2 * (512 + 512)


def member(bias: list[float]) -> Member:
    """Another head that gives every image the same answer."""
    return Member(OTHER, ((np.zeros((FEATURES, 3), np.float32), np.array(bias, np.float32)),))


@pytest.fixture(scope="module")
def run(workspace, dataset):
    """A run, and the ensemble that it has become with a member that knows nothing."""
    before = Trainer(workspace)(dataset).record
    return before, assemble(before, [member([0, 0, 0])], dataset, lambda: False)


@pytest.mark.slow
def test_the_run_has_the_mean_as_its_model(run, dataset):
    before, made = run
    assert load_run(made.path) == made
    assert [one.image_size for one in made.members] == [48]
    assert made.config == before.config
    assert made.model_sha256 != before.model_sha256
    assert read_metrics(made)["validation"]["loss"] == pytest.approx(made.best.val_loss, rel=1e-5)
    assert made.best.val_accuracy == before.best.val_accuracy, "the other member has no opinion"
    assert not made.can_go_on, "its last epoch was of one member alone"
    measured = evaluate_run(made.path, dataset.path, "validation")
    assert measured.accuracy == pytest.approx(made.best.val_accuracy)
    assert measured.probabilities.max() < 2 / 3 + 1e-3, "half of every answer is one in three"


def test_the_heat_map_tells_the_answer_of_all(run, dataset):
    image = resize_image(read_image(dataset.path_of(dataset.images[0])), 32)
    probabilities = open_predictor(run[1].path).predict(image[None])[0]
    found = open_grad_cam(run[1].path).explain(image)
    assert found.label == probabilities.argmax()
    assert found.probability == pytest.approx(probabilities.max(), abs=1e-4)


def test_the_program_trains_every_member_and_their_mean(run):
    made = run[1]
    cells = write_program(made.config, made.classes, made.decoding, made.members)
    titles = [cell.title for cell in cells]
    assert titles[-1] == "Together"
    assert titles.count("Member 1: Packages") == 1
    assert "Member 2: Packages" not in titles
    text = as_script(cells, made.name)
    ast.parse(text)
    assert "for member in (member_1, member_2):" in text
    assert "SIZE = 48" in text
    assert "SIZE = 32" in text


def test_another_dashboard_opens_the_file(run):
    found = check_model_file(run[1].folder.model_file)
    assert (found.image_size, found.outputs) == (32, 3)


@pytest.mark.slow
def test_members_that_make_it_worse_leave_the_run_as_it_was(run, workspace, dataset, train_run):
    before = train_run(dataset, seed=8).record
    assert assemble(before, [member([50, 0, 0]), member([50, 0, 0])], dataset, lambda: False) is None
    assert load_run(before.path) == before


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", FORMATS)
def test_every_export_is_proven(run, tensorflow_js, name):
    assert export_run(run[1].path, name).proof.passed


@pytest.mark.long
def test_the_command_line_writes_the_program(run, workspace, monkeypatch, capsys):
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    assert main(["code", run[1].id]) == 0
    assert "member_2" in capsys.readouterr().out
