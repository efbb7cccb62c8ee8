"""What was changed in the images since a model was trained: undo it, or train again with it and compare the two."""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.data import Dataset, load_dataset
from tl_core.data.correction import changes_since
from tl_core.data.revisions import present_revision, revision_before, undo
from tl_core.errors import DataError
from tl_core.runs import RunRecord, list_runs
from tl_core.runs.watched_images import watched_copies
from tl_core.storage.format import count
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.correcting.changing import change, show_refusal
from ui.components.markdown import plain
from ui.components.run_format import format_accuracy
from ui.shell.errors import error_boundary
from ui.shell.navigation import RUNS, TRAIN, page_button, page_link
from ui.state.begin_training import begin_training
from ui.state.current import choose_model

REFRESH_SECONDS: Final = 2.0
NAMED: Final = 3  # changes that are named; more are counted

State = tuple[int, str, bool]
"""The present revision, the run that was trained on it, and whether that is at work."""


def since_training(workspace: Workspace, run: RunRecord, key: str) -> None:
    """Draw it; nothing where the images are as the model learned from them, or are gone.

    Args:
        workspace: of the visitor.
        run: whose model is looked at.
        key: names the controls on their page.
    """
    dataset = _images_of(run)
    if dataset is None or dataset.revision == run.dataset_revision:
        return
    again = _trained_again(workspace, run, dataset)
    state = _state(dataset, again)
    st.fragment(_follow, run_every=REFRESH_SECONDS if state[2] else None)(workspace, run, state, key)


@error_boundary()
def _follow(workspace: Workspace, run: RunRecord, drawn: State, key: str) -> None:
    dataset = _images_of(run)
    again = _trained_again(workspace, run, dataset) if dataset else None
    if dataset is None or _state(dataset, again) != drawn:
        st.rerun()  # the whole page has to tell of it
    with st.container(border=True, key=f"{key}-since"):
        st.markdown(f":material/history: {_what_changed(dataset, run)}")
        show_refusal(key)
        if again is not None and not again.active:
            st.markdown(_how_it_went(run, again))
        with st.container(horizontal=True, vertical_alignment="center"):
            _next_steps(workspace, run, dataset, again, key)


def _next_steps(workspace: Workspace, run: RunRecord, dataset: Dataset, again: RunRecord | None, key: str) -> None:
    if again is not None and again.active:
        page_link(TRAIN, "Training again: watch it", run=again.id)
    elif again is not None and again.has_model:
        page_button(RUNS, "Compare the two", key=f"{key}-compare", compare=(run.id, again.id))
        st.button(
            "Use the new model", key=f"{key}-use", icon=":material/check:", on_click=choose_model, args=(again,)
        )
    else:
        st.button(
            "Train again with it",
            key=f"{key}-again",
            type="primary",
            icon=TRAIN.icon,
            help=f"The same settings, on revision {dataset.revision} of the images. It starts at once.",
            on_click=change,
            args=(lambda: _train_again(workspace, run), key),
        )
    if is_mine(workspace, dataset.path) and revision_before(dataset):
        st.button(
            "Undo",
            key=f"{key}-undo",
            icon=":material/undo:",
            type="tertiary",
            help=f"Undo: {plain(present_revision(dataset).what)}",
            on_click=change,
            args=(lambda: undo(workspace, dataset.id), key),
        )


def _what_changed(dataset: Dataset, run: RunRecord) -> str:
    """The changes in a sentence, as Markdown."""
    name, changes = plain(dataset.name), changes_since(dataset, run.dataset_revision)
    if changes is None:
        return (
            f"The images **{name}** are now as in revision {dataset.revision}, with which this model was not trained."
        )
    if len(changes) > NAMED:
        told = f"{count(len(changes), 'change')}, the last one: {plain(changes[-1].what)}"
    else:
        told = "; ".join(plain(made.what) for made in changes)
    return f"**{name}** has changed since this model was trained: {told}."


def _how_it_went(run: RunRecord, again: RunRecord) -> str:
    if not again.has_model:
        return f":red[:material/error:] {plain(again.error or 'The training has ended without a model.')}"
    return (
        f":green[:material/check_circle:] **{plain(again.name)}** was trained with it: {format_accuracy(again)}. "
        f"Before: {format_accuracy(run)}."
    )


def _images_of(run: RunRecord) -> Dataset | None:
    try:
        return load_dataset(run.dataset_path)
    except DataError:
        return None


def _trained_again(workspace: Workspace, run: RunRecord, dataset: Dataset) -> RunRecord | None:
    """The newest run of the same settings on the present revision."""
    same = (run.dataset_id, dataset.revision, run.config)
    return next(
        (
            found
            for found in list_runs(workspace)
            if found.id != run.id and (found.dataset_id, found.dataset_revision, found.config) == same
        ),
        None,
    )


def _state(dataset: Dataset, again: RunRecord | None) -> State:
    return dataset.revision, again.id if again else "", again is not None and again.active


def _train_again(workspace: Workspace, run: RunRecord) -> None:
    begin_training(workspace, run.config, load_dataset(run.dataset_path), watched_copies(run.folder))
