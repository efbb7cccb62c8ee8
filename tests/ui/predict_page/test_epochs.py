"""Choosing on the Predict page which of the saved epochs answers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tl_core.small_trainings import Trainer, probabilities_of
from tests.ui.pages_without_browser import checked, open_page, texts
from tests.ui.trained_runs import COLOURS, colour_dataset, coloured, ended_run
from tl_core.inference.calibration import Calibration, save_calibration
from tl_core.inference.predict import predict_images
from tl_core.runs import update_run
from tl_core.runs.epoch_checkpoints import epoch_checkpoints, save_epoch, save_epoch_list

PAGE = "pages/5_Predict.py"
RED = coloured(COLOURS["red"], 7)
CHOICE = "predict-epoch"


@pytest.fixture
def run(workspace):
    """Of its four epochs the last three are kept."""
    train = Trainer(workspace)
    return train(colour_dataset(workspace), epochs=4, keep_last_epochs=3, learning_rate=1e-3).record


def others(run):
    return [entry.epoch for entry in epoch_checkpoints(run.folder) if entry.epoch != run.best.epoch]


def options(at):
    return at.selectbox(key=CHOICE).options


def probability(at):
    (chart,) = at.get("plotly_chart")
    return chart.proto.alt


def upload_red(at):
    at.file_uploader[0].upload("red.png", RED)
    return checked(at.run())


def test_a_run_that_keeps_its_best_epoch_alone_offers_no_choice(workspace):
    ended_run(workspace, colour_dataset(workspace))
    assert not [box for box in open_page(PAGE).selectbox if box.key == CHOICE]


@pytest.mark.slow
def test_each_kept_epoch_is_offered_and_answers_for_itself(run):
    at = upload_red(open_page(PAGE))
    best, *listed = options(at)
    assert best == f"Best epoch ({run.best.epoch})"
    assert [text.split(" · ")[0] for text in listed] == [f"Epoch {epoch}" for epoch in reversed(others(run))]
    of_best = probability(at)
    chosen = others(run)[0]
    at.selectbox(key=CHOICE).set_value(str(chosen))
    checked(at.run())
    assert at.query_params["epoch"] == str(chosen)
    assert f"Answers come from the model of epoch {chosen} (feature extraction)" in texts(at)
    assert probability(at) != of_best
    said = predict_images(run.path, [RED], chosen)[0]
    assert f"{100 * said.ranked[0][1]:.1f} %" in probability(at)
    best = predict_images(run.path, [RED])[0]
    assert np.abs(probabilities_of([said]) - probabilities_of([best])).max() > 1e-3
    at.selectbox(key=CHOICE).set_value("")
    assert probability(checked(at.run())) == of_best


@pytest.mark.slow
def test_a_link_names_the_epoch_and_one_that_is_gone_is_said(run):
    at = open_page(PAGE, run=run.id, epoch=str(others(run)[0]))
    assert at.selectbox(key=CHOICE).value == str(others(run)[0])
    assert not at.warning
    at = open_page(PAGE, run=run.id, epoch="77")
    assert at.warning[0].value == "Epoch 77 is not kept, or no longer. The best epoch answers."
    assert at.selectbox(key=CHOICE).value == ""
    assert not open_page(PAGE, run=run.id, epoch="no number").warning


@pytest.mark.slow
def test_new_epochs_appear_while_the_run_still_trains(run):
    update_run(run.path, status="running")
    at = open_page(PAGE, run=run.id)
    before = options(at)
    kept = epoch_checkpoints(run.folder)
    weights = {"head/probabilities/1": np.zeros(2, np.float32)}
    newer = save_epoch(run.folder, 5, "head", 0.5, weights)
    save_epoch_list(run.folder, (*kept[1:], newer))
    at = checked(at.run())
    assert "Epoch 5 · 50.0 %" in options(at)
    assert "Epoch 5 · 50.0 %" not in before


@pytest.mark.slow
def test_the_threshold_chosen_for_the_best_epoch_is_not_that_of_another(run):
    save_calibration(run.workspace, run, Calibration(model_sha256=run.model_sha256, threshold=1.0))
    assert "I don't know" in texts(upload_red(open_page(PAGE, run=run.id)))
    of_another = texts(upload_red(open_page(PAGE, run=run.id, epoch=str(others(run)[0]))))
    assert "I don't know" not in of_another
    assert "always answers one of them" in of_another
