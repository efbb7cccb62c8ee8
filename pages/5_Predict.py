"""Predict: what a trained model sees in a picture."""

import streamlit as st

from tl_core.inference.calibration import load_calibration
from tl_core.runs import RunRecord
from tl_core.runs.epoch_checkpoints import EpochCheckpoint
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace
from ui.components.pictures import choose_pictures
from ui.components.run_format import format_model
from ui.predict_page.answers import answers_to
from ui.predict_page.archive import predict_archive_section
from ui.predict_page.imported_models import (
    asks_a_file,
    being_opened,
    import_model_section,
    opened,
    pick_imported_model,
)
from ui.predict_page.live_camera import live_camera
from ui.predict_page.pick_model import format_knowledge, pick_epoch, pick_runs
from ui.predict_page.table import show_answers
from ui.shell.navigation import PREDICT
from ui.shell.page import page_setup


def introduce(run: RunRecord, epoch: EpochCheckpoint | None) -> None:
    """The model, how good it is, and its classes."""
    measured = epoch or run.best
    accuracy = f", right for {percent(measured.val_accuracy)} of its validation images" if measured else ""
    goes_on = run.active and epoch is None
    going_on = " The training still goes on: a better epoch takes over as soon as there is one." if goes_on else ""
    threshold = load_calibration(run.folder, epoch.sha256 if epoch else run.model_sha256).threshold
    st.caption(
        f"Answers come from {format_model(measured)}{accuracy}.{going_on}  \n"
        f"{format_knowledge(run.classes, threshold)}"
    )


def ask_a_file(workspace: Workspace) -> None:
    """Prediction with an imported model."""
    model = pick_imported_model(workspace, key="predict-brought")
    if model is None:
        import_model_section(workspace, key="predict-brought", first=True)
        return
    waiting = being_opened(model) and not opened(workspace, model, key="predict-opening")
    import_model_section(workspace, key="predict-brought", first=False)
    pictures = choose_pictures(workspace, None, key="predict")
    predict_archive_section(model, key="predict-zip")
    if pictures and not waiting and opened(workspace, model, key="predict-asking"):
        show_answers(pictures, [answers_to(pictures, model)], [model])


def ask_a_run(workspace: Workspace) -> None:
    """Prediction with the model of a run, or of two."""
    runs = pick_runs(workspace, "predict")
    if not runs:
        return
    kept = pick_epoch(runs[0], key="predict-epoch")
    epoch = kept.epoch if kept else None
    introduce(runs[0], kept)
    pictures = choose_pictures(workspace, runs[0], key="predict")
    live_camera(runs[0], key="predict-live", epoch=epoch)
    predict_archive_section(runs[0], key="predict-zip", epoch=epoch)
    if pictures:
        answers = [answers_to(pictures, run, None if place else epoch) for place, run in enumerate(runs)]
        show_answers(pictures, answers, runs, epoch)


with page_setup("Predict", PREDICT.icon, lead="What does the model see in your picture?") as workspace:
    if asks_a_file(workspace, key="predict-kind"):
        ask_a_file(workspace)
    else:
        ask_a_run(workspace)
