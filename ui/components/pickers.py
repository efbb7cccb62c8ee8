"""Choosing a run or a dataset from a list; the address keeps the choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import streamlit as st

from tl_core.data import Dataset
from tl_core.runs import RunRecord, list_runs
from tl_core.storage.workspace import Workspace, is_id
from ui.components.run_format import run_labels
from ui.shell.navigation import TRAIN, go_to

LAST: Final = 10  # runs among which the best is looked for


def pick_run(
    workspace: Workspace,
    default: Callable[[Sequence[RunRecord]], RunRecord],
    key: str,
    label: str = "Model of the run",
) -> RunRecord | None:
    """Draw the list of runs that have a model; returns the chosen one, or None where there is none to choose.

    ``?run=`` in the address names the chosen run, so that a link opens the same one.

    Args:
        workspace: that holds the runs.
        default: chooses among them, newest first, where the address names none.
        key: names the control on its page.
        label: of the control.
    """
    runs = {run.id: run for run in list_runs(workspace) if run.has_model}
    if not runs:
        _nothing_to_choose(key)
        return None
    named = st.query_params.get("run")
    if named is not None and named not in runs:
        st.warning("The run of this link has no model, or no longer exists. Another one is shown.")
    # Set before it is drawn, each time: the address is the truth, the control only shows it.
    st.session_state[key] = named if named in runs else default(list(runs.values())).id
    labels = run_labels(runs.values())
    chosen = st.selectbox(
        label,
        list(runs),
        format_func=labels.__getitem__,
        key=key,
        on_change=_remember,
        args=(key,),
        help="Every run that has a model, newest first. The percentage is its accuracy on validation images.",
    )
    return runs.get(chosen)


def newest(runs: Sequence[RunRecord]) -> RunRecord:
    """The first of runs that are given newest first, leaving out those in progress if there are others."""
    return next((run for run in runs if not run.active), runs[0])


def best_of_last(runs: Sequence[RunRecord]) -> RunRecord:
    """The most accurate of the last ten runs on the dataset that was used last; the newer one where two are equal.

    Accuracies on different datasets cannot be compared.
    """
    latest = [run for run in runs if run.dataset_id == runs[0].dataset_id][:LAST]
    return max(latest, key=lambda run: run.best.val_accuracy if run.best else -1.0)


def _remember(key: str) -> None:
    # An entry whose text has changed meanwhile, as its training ended, arrives as that text.
    if is_id(chosen := st.session_state[key]):
        st.query_params["run"] = chosen


def _nothing_to_choose(key: str) -> None:
    st.info("There is no trained model yet. As soon as a training has finished an epoch, its model is here.")
    if st.button("Start a training", type="primary", icon=TRAIN.icon, key=f"{key}-train"):
        go_to(TRAIN)


def dataset_labels(datasets: Iterable[Dataset]) -> dict[str, str]:
    """The name of each dataset by its id, with a number where an older one has the same name.

    Streamlit knows an entry by its text alone: of two equal ones it would always take the last.
    """
    labels: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for dataset in sorted(datasets, key=lambda dataset: dataset.created):
        seen[dataset.name] += 1
        number = seen[dataset.name]
        labels[dataset.id] = dataset.name if number == 1 else f"{dataset.name} ({number})"
    return labels
