"""Choosing a run, a dataset or something else from a list; the address keeps the choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import streamlit as st

from tl_core.data import Dataset
from tl_core.runs import RunRecord, list_runs
from tl_core.storage.workspace import Workspace
from ui.components.run_format import run_labels, unique_labels
from ui.shell.navigation import TRAIN, page_button

LAST: Final = 10  # runs among which the best is looked for


def pick(
    label: str, options: Mapping[str, str], parameter: str, default: str, key: str, help: str | None = None
) -> str:
    """Draw a list whose choice is kept in the address, so that a link opens the same; returns what is chosen.

    Args:
        label: of the control, as ``key`` and ``help`` are.
        options: the text of each entry by what the address names it; ``""`` stands for naming none.
        parameter: of the address.
        default: one of the options: the choice where the address names none of them.
    """
    named = st.query_params.get(parameter, default)
    chosen = named if named in options else default
    # Set before it is drawn, each time: the address is the truth, the control only shows it.
    st.session_state[key] = chosen
    st.selectbox(
        label,
        list(options),
        format_func=options.__getitem__,
        key=key,
        on_change=_remember,
        args=(parameter, key, options),
        help=help,
    )
    return chosen


def _remember(parameter: str, key: str, options: Mapping[str, str]) -> None:
    chosen = st.session_state[key]
    if not chosen:
        st.query_params.pop(parameter, None)
    elif chosen in options:  # else its text has changed meanwhile, as a training ended, and arrives in its place
        st.query_params[parameter] = chosen


def pick_run(workspace: Workspace, default: Callable[[Sequence[RunRecord]], RunRecord], key: str) -> RunRecord | None:
    """Draw the list of runs that have a model; returns the chosen one, or None where there is none to choose.

    Args:
        workspace: that holds the runs.
        default: chooses among them, newest first, where ``?run=`` in the address names none.
        key: names the control on its page.
    """
    runs = {run.id: run for run in list_runs(workspace) if run.has_model}
    if not runs:
        st.info("There is no trained model yet. As soon as a training has finished an epoch, its model is here.")
        page_button(TRAIN, "Start a training", key=f"{key}-train")
        return None
    if st.query_params.get("run") not in (None, *runs):
        st.warning("The run of this link has no model, or no longer exists. Another one is shown.")
    first = default(list(runs.values())).id
    words = "Every run that has a model, newest first, with its accuracy on test images, or on validation images."
    return runs[pick("Model of the run", run_labels(runs.values()), "run", first, key, words)]


def newest(runs: Sequence[RunRecord]) -> RunRecord:
    """The first of runs that are given newest first, leaving out those in progress if there are others."""
    return next((run for run in runs if not run.active), runs[0])


def best_of_last(runs: Sequence[RunRecord]) -> RunRecord:
    """The most accurate of the last ten runs on the dataset that was used last; the newer one where two are equal.

    Accuracies on different datasets cannot be compared.
    """
    latest = [run for run in runs if run.dataset_id == runs[0].dataset_id][:LAST]
    return max(latest, key=lambda run: run.best.val_accuracy if run.best else -1.0)


def dataset_labels(datasets: Iterable[Dataset]) -> dict[str, str]:
    """The name of each dataset by its id, with a number where an older one has the same name."""
    oldest_first = sorted(datasets, key=lambda dataset: dataset.created)
    return unique_labels((dataset.id, dataset.name) for dataset in oldest_first)
