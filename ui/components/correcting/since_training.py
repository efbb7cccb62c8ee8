"""What was changed in the images since a model was trained: undo it, or train again with it and compare the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from tl_core.data import Dataset, load_dataset
from tl_core.data.correction import changes_since
from tl_core.data.health import nothing_can_be_said
from tl_core.data.revisions import present_revision, undo
from tl_core.errors import DataError
from tl_core.runs import RunRecord, list_runs
from tl_core.runs.watched_images import watched_copies
from tl_core.storage.format import count
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.correcting.changing import change, show_refusal, was_made_on
from ui.components.markdown import plain
from ui.components.run_format import format_accuracy
from ui.shell.errors import error_boundary
from ui.shell.navigation import DATA, RUNS, TRAIN, Page, page_button, page_link
from ui.state.begin_training import begin_training
from ui.state.current import choose_model

REFRESH_SECONDS: Final = 2.0
NAMED: Final = 3  # changes that are named; more are counted

State = tuple[int, str, bool, str]
"""The present revision, the run that was trained on it, whether that is at work, and which two can be compared."""
Pair = tuple[RunRecord, RunRecord]
"""The older and the newer of two runs of the same settings, each with a model, on different revisions."""


def since_training(workspace: Workspace, run: RunRecord, key: str, page: Page) -> None:
    """Draw it; nothing where the images are gone, or as all models of these settings learned from them.

    Args:
        workspace: of the visitor.
        run: whose model is looked at.
        key: names the controls on their page.
        page: that this is drawn on; what was changed there can be undone there.
    """
    dataset = _images_of(run)
    if dataset is None:
        return
    again, pair = _trained_again(workspace, run, dataset), last_pair(list_runs(workspace), run)
    if dataset.revision == run.dataset_revision and pair is None:
        return
    state = _state(dataset, again, pair)
    st.fragment(_follow, run_every=REFRESH_SECONDS if state[2] else None)(workspace, run, state, key, page)


@error_boundary()
def _follow(workspace: Workspace, run: RunRecord, drawn: State, key: str, page: Page) -> None:
    dataset = _images_of(run)
    again = _trained_again(workspace, run, dataset) if dataset else None
    pair = last_pair(list_runs(workspace), run)
    if dataset is None or _state(dataset, again, pair) != drawn:
        st.rerun()  # the whole page has to tell of it
    changed = dataset.revision != run.dataset_revision
    with st.container(border=True, key=f"{key}-since"):
        if changed:
            st.markdown(f":material/history: {_what_changed(dataset, run)}")
            for part in ("test", "validation"):
                if unjudged := nothing_can_be_said(dataset, part):
                    st.markdown(f":material/warning: {plain(unjudged)}")
        show_refusal(key)
        if again is not None and not again.active and not again.has_model:
            st.markdown(_why_not(again))
        if pair is not None:
            st.markdown(_how_it_went(*pair))
        with st.container(horizontal=True, vertical_alignment="center"):
            if changed:
                _next_steps(workspace, run, again, key)
            if pair is not None:
                _compare(run, pair, key)
            if changed:
                _undo(workspace, dataset, key, page)


def _next_steps(workspace: Workspace, run: RunRecord, again: RunRecord | None, key: str) -> None:
    if again is not None and again.active:
        page_link(TRAIN, "Training again: watch it", run=again.id)
    elif again is None or not again.has_model:
        st.button(
            "Train again with it",
            key=f"{key}-again",
            type="primary",
            icon=TRAIN.icon,
            help="The same settings, on the images as they are now. It starts at once.",
            on_click=change,
            args=(lambda: _train_again(workspace, run), key),
        )


def _compare(run: RunRecord, pair: Pair, key: str) -> None:
    """The way to the comparison; it stays when the images are changed once more."""
    older, newer = pair
    page_button(RUNS, "Compare the two", key=f"{key}-compare", primary=False, compare=(older.id, newer.id))
    if older.id == run.id:
        st.button(
            "Use the new model", key=f"{key}-use", icon=":material/check:", on_click=choose_model, args=(newer,)
        )


def _undo(workspace: Workspace, dataset: Dataset, key: str, page: Page) -> None:
    """Undo what was done last, if that was here; else the way to all that was done, where it can be undone."""
    if not was_made_on(page, dataset) or not is_mine(workspace, dataset.path):
        page_link(DATA, "See all changes", dataset=dataset.id, history=True)
        return
    what, revision = present_revision(dataset).what, dataset.revision
    st.button(
        f"Undo: {plain(what[:1].lower() + what[1:])}",
        key=f"{key}-undo",
        icon=":material/undo:",
        type="tertiary",
        wrap=True,
        on_click=change,
        args=(lambda: undo(workspace, dataset.id, revision), key),
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


def _why_not(again: RunRecord) -> str:
    return f":red[:material/error:] {plain(again.error or 'The training has ended without a model.')}"


def _how_it_went(older: RunRecord, newer: RunRecord) -> str:
    return (
        f":green[:material/check_circle:] **{plain(newer.name)}**, trained on the changed images: "
        f"{format_accuracy(newer)}. Before: {format_accuracy(older)}."
    )


def last_pair(runs: Sequence[RunRecord], run: RunRecord) -> Pair | None:
    """The newest two runs to compare of which ``run`` is one: with a later one, else with an earlier one.

    Args:
        runs: newest first.
        run: with a model.
    """
    same = [
        found
        for found in runs
        if (found.dataset_id, found.config) == (run.dataset_id, run.config)
        and found.dataset_revision != run.dataset_revision
        and found.has_model
        and not found.active
    ]
    later = [found for found in same if found.created > run.created]
    if later:
        return run, later[0]
    return (same[0], run) if same else None


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


def _state(dataset: Dataset, again: RunRecord | None, pair: Pair | None) -> State:
    compared = " ".join(run.id for run in pair or ())
    return dataset.revision, again.id if again else "", again is not None and again.active, compared


def _train_again(workspace: Workspace, run: RunRecord) -> None:
    begin_training(workspace, run.config, load_dataset(run.dataset_path), watched_copies(run.folder))
