"""A training, begun: asked for with the images that were seen then, its run made, named, and put into the queue."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import streamlit as st

from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig
from tl_core.data import Dataset
from tl_core.errors import WorkspaceError
from tl_core.jobs import manager
from tl_core.planning.speed_meter import speed_meter
from tl_core.runs import RunRecord, create_run, list_runs
from tl_core.runs.store import RUNS
from tl_core.runs.watched_images import NewWatchedImage, save_watched_images
from tl_core.storage.workspace import Workspace

_ASKED: Final = "begin-asked"  # in the session: id and name of the images that *Start* or *Search* stood below


def ask_to_begin(dataset: Dataset) -> None:
    """Note in the callback of a button what it was pressed for: when the page is drawn again, it may be gone."""
    st.session_state[_ASKED] = (dataset.id, dataset.name)


def asked_for_missing(datasets: Sequence[Dataset]) -> str | None:
    """Why what was asked for cannot begin, in a sentence, where its images are gone; the request ends with it.

    Args:
        datasets: all that there are.
    """
    asked = st.session_state.get(_ASKED)
    if asked is None or asked[0] in {dataset.id for dataset in datasets}:
        return None
    del st.session_state[_ASKED]
    return f"“{asked[1]}” was deleted meanwhile, so nothing was started."


def was_asked(dataset: Dataset) -> bool:
    """Whether something is to begin with these images; once."""
    asked = st.session_state.pop(_ASKED, None)
    return asked is not None and asked[0] == dataset.id


def begin_training(
    workspace: Workspace, config: TrainingConfig, dataset: Dataset, watched: Sequence[NewWatchedImage]
) -> RunRecord:
    """Make a run and queue it; whatever is being measured ends for it.

    Args:
        workspace: of the person who trains.
        config: of the training.
        dataset: that it learns from, in the revision that this is.
        watched: pictures to watch meanwhile.

    Raises:
        WorkspaceError: the workspace has reached its quota, or cannot be written.
    """
    speed_meter(workspace).stop()
    run = create_run(workspace, config, dataset, _free_name(workspace, config, dataset))
    try:
        save_watched_images(run.folder, watched)
    except WorkspaceError:
        RUNS.delete(workspace, run.id)  # else it would wait for ever
        raise
    manager(workspace).submit(run.id)
    return run


def _free_name(workspace: Workspace, config: TrainingConfig, dataset: Dataset) -> str:
    title = get_backbone(config.backbone).title
    taken = {run.name for run in list_runs(workspace)}
    # What is trained on what; a number from the second such run on stands where a narrow table does not cut it off.
    numbers = itertools.chain([""], (f" {number}" for number in itertools.count(2)))
    names = (f"{dataset.name}{number}, {title}" for number in numbers)
    return next(name for name in names if name not in taken)
