"""Predict: what a trained model sees in a picture."""

from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tl_core.inference.calibration import load_calibration
from tl_core.inference.novelty import refuses_unlike
from tl_core.runs import RunRecord
from tl_core.runs.epoch_checkpoints import EpochCheckpoint
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace
from ui.components.prediction.answers import Asked, answers_to
from ui.components.prediction.photos import shown_photos
from ui.components.run_format import accuracy_of, format_model
from ui.frame.page import page_setup
from ui.predict_page.archive import archive_answers
from ui.predict_page.imported_models import (
    asks_a_file,
    being_opened,
    import_model_section,
    opened,
    pick_imported_model,
)
from ui.predict_page.inputs import LIVE, ZIP, take_pictures, way_in
from ui.predict_page.live_camera import live_camera
from ui.predict_page.model_scale import waits_for_scale
from ui.predict_page.pick_model import COMPARED, format_knowledge, pick_epoch, pick_runs
from ui.predict_page.table import show_answers
from ui.shell.navigation import PREDICT
from ui.shell.scrolling import show_from_here


def format_introduction(run: RunRecord, epoch: EpochCheckpoint | None) -> str:
    """The model, how good it is, and its classes, as Markdown."""
    measured = epoch or run.best
    right = (epoch.val_accuracy, "validation") if epoch else accuracy_of(run)
    accuracy = f", right for {percent(right[0])} of its {right[1]} images" if right else ""
    goes_on = run.active and epoch is None
    going_on = " The training still goes on: a better epoch takes over as soon as there is one." if goes_on else ""
    kept = load_calibration(run.folder, epoch.sha256 if epoch else run.model_sha256)
    refuses = epoch is None and refuses_unlike(run, kept.accepted)
    return (
        f"Answers come from {format_model(measured)}{accuracy}.{going_on}  \n"
        f"{format_knowledge(run.classes, kept.threshold, refuses)}"
    )


class Desk(NamedTuple):
    """The places of the page: what is to be done first, the pictures, which models answer, and the answers."""

    first: DeltaGenerator
    pictures: DeltaGenerator
    models: DeltaGenerator
    answers: DeltaGenerator


def lay_out() -> Desk:
    """Pictures and models on the left, the answers on the right; on a phone the answers come first.

    The answers of two models take the whole width, below pictures and models.
    """
    first = st.container()
    if COMPARED in st.query_params:
        with st.container(key="predict-two"):
            pictures, models = st.columns(2, gap="medium")
            return Desk(first, pictures, models.container(key="predict-models"), st.container(key="predict-answers"))
    with st.container(key="predict-desk"):
        left, answers = st.columns([4, 5], gap="medium")
    with left:
        return Desk(first, st.container(), st.container(key="predict-models"), answers)


def ask(
    workspace: Workspace, desk: Desk, asked: list[Asked], introduction: str = "", epoch: int | None = None
) -> None:
    """Take the pictures, and draw the answers to them.

    Args:
        workspace: of the visitor.
        desk: where it is drawn.
        asked: whose models answer: one, or two.
        introduction: of the model, as Markdown.
        epoch: the saved epoch of the first one that answers; None = the best one.
    """
    with desk.pictures:
        way = way_in(asked[0])
        take_pictures(way, workspace, asked[0], key="predict", epoch=epoch)
        if introduction:
            st.caption(introduction)
    with desk.answers:
        if way == LIVE and isinstance(asked[0], RunRecord):
            live_camera(asked[0], key="predict-live", epoch=epoch)
        elif way == ZIP:
            archive_answers("predict-zip")
        else:
            answer_photos(workspace, asked, epoch)


def answer_photos(workspace: Workspace, asked: list[Asked], epoch: int | None) -> None:
    """The answers to what is shown to the model."""
    pictures = shown_photos()
    if not pictures:
        with st.container(border=True, key="predict-empty"):
            st.markdown("**The answer appears here.** The photo stays on this computer.")
        return
    show_from_here(pictures[0].id, key="predict-answer-top", block="start")
    if not all(isinstance(model, RunRecord) or opened(workspace, model, key="predict-asking") for model in asked):
        return
    if waits_for_scale(workspace, asked, pictures[0], key="predict-scale"):
        return
    answers = [answers_to(pictures, model, None if place else epoch) for place, model in enumerate(asked)]
    show_answers(workspace, pictures, answers, asked, epoch)


def ask_a_file(workspace: Workspace, desk: Desk) -> None:
    """Prediction with an imported model."""
    model = pick_imported_model(workspace, key="predict-brought")
    if model is None:
        import_model_section(workspace, key="predict-brought", first=True)
        return
    waiting = being_opened(model) and not opened(workspace, model, key="predict-opening")
    import_model_section(workspace, key="predict-brought", first=False)
    if not waiting:
        ask(workspace, desk, [model])


def ask_a_run(workspace: Workspace, desk: Desk) -> None:
    """Prediction with the model of a run, or of two."""
    runs = pick_runs(workspace, "predict", desk.first)
    if not runs:
        return
    kept = pick_epoch(runs[0], key="predict-epoch")
    ask(workspace, desk, list(runs), format_introduction(runs[0], kept), kept.epoch if kept else None)


with page_setup("Predict", PREDICT.icon) as workspace:
    desk = lay_out()
    with desk.models:
        if asks_a_file(workspace, key="predict-kind"):
            ask_a_file(workspace, desk)
        else:
            ask_a_run(workspace, desk)
