"""The whole form, top to bottom: dataset, backbone, frozen layers, learning rate."""

from __future__ import annotations

import streamlit as st

from tl_core.data import list_datasets
from tl_core.runs import find_run, run_exists
from tl_core.storage.workspace import Workspace
from ui.components.empty_state import no_images_yet
from ui.components.markdown import plain
from ui.components.run.run_panel import run_panel
from ui.shell.scrolling import show_from_here
from ui.state.begin_training import asked_for_missing
from ui.state.training_draft import draft, has_draft
from ui.train_page.advice import compare_rates
from ui.train_page.controls import control
from ui.train_page.freezing import freezing
from ui.train_page.goals import choose_goal
from ui.train_page.options import more_options
from ui.train_page.picker import choose_backbone, choose_dataset, replace_lost_backbone
from ui.train_page.start_bar import remarks, running_now, start_bar
from ui.train_page.summary import run_summary
from ui.train_page.watched_images_picker import choose_watched_images


def open_from_link(workspace: Workspace) -> None:
    """Take what a link names: ``?dataset=`` the images and, once, ``?like=`` the settings and images of a run.

    The address then stops naming the run, so that other settings can be chosen.
    """
    if "dataset" in st.query_params:
        draft().dataset_id = st.query_params["dataset"]
    if "like" in st.query_params:
        _begin_like(workspace, st.query_params.pop("like"))


def watch_run(workspace: Workspace, run_id: str) -> None:
    """The page as a run: its curves first, then what it was started with and the way back to the form.

    Raises:
        RunNotFoundError: there is no such run.
    """
    show_from_here(run_id, key="train_run_top")
    run_panel(workspace, run_id)
    if not run_exists(workspace, run_id):  # discarded since
        return
    run = find_run(workspace, run_id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(run_summary(run.config), width="stretch")
        st.button(
            "Train again",
            icon=":material/model_training:",
            on_click=_train_again,
            args=(workspace, run_id),
            help="Back to the form, with the choices you made. A training at work goes on.",
        )


def _train_again(workspace: Workspace, run_id: str) -> None:
    """Leave the run for the form: as it was left, or, in a new browser tab, with the settings of the run."""
    st.query_params.pop("run", None)
    if not has_draft():
        _begin_like(workspace, run_id)


def _begin_like(workspace: Workspace, run_id: str) -> None:
    run = find_run(workspace, run_id)
    draft().fill(run.config, run.dataset_id, parent=run.id)


def training_form(workspace: Workspace) -> None:
    """Draw the form; starting a training sets ``?run=`` in the address."""
    running_now(workspace)
    datasets = list_datasets(workspace)
    if missing := asked_for_missing(datasets):
        st.error(plain(missing), icon=":material/error:")
    if not datasets:
        if not missing and draft().dataset_id is not None:
            st.warning("The images chosen before were deleted.", icon=":material/link_off:")
        no_images_yet("train-empty")
        return
    show_from_here("form", key="train_form_top")  # who comes from the middle of another page sees its beginning
    dataset = choose_dataset(workspace, datasets)
    replace_lost_backbone()
    choose_goal(workspace, dataset)
    st.header("Backbone", anchor=False)
    choose_backbone(workspace)
    freezing(dataset)
    st.header("Training", anchor=False)
    _phases()
    remarks(dataset)
    more_options(dataset)
    start_bar(workspace, dataset, choose_watched_images(workspace, dataset))


def _phases() -> None:
    """Epochs and learning rate of both phases."""
    values = draft().values
    head, fine_tuning = st.columns(2, gap="medium")
    with head.container(border=True, height="stretch"):
        st.markdown("**Phase 1: train the head**")
        control("learning_rate")
        control("epochs")
        st.caption("The whole backbone is frozen; the new layers on top of it learn your classes.")
    with fine_tuning.container(border=True, height="stretch"):
        st.markdown("**Phase 2: fine-tune the backbone**")
        off = values["frozen_layers"] is None
        control("fine_tune_learning_rate", disabled=off)
        control("fine_tune_epochs", disabled=off and not values["fine_tune_epochs"])
        if off:
            st.caption("Not needed while all layers are frozen. Freeze fewer layers to add it.")
        elif not values["fine_tune_epochs"]:
            st.caption("Off: it has 0 epochs.")
        else:
            comparison = compare_rates(values["fine_tune_learning_rate"], values["learning_rate"])
            st.caption(f"The unfrozen layers adapt to your images, at a rate {comparison} the head's.")
