"""Choosing a run, a dataset or something else from a list; the address keeps the choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import streamlit as st

from tl_core.data import Dataset
from tl_core.runs import RunRecord, list_runs
from tl_core.storage.workspace import Workspace
from ui.components.empty_state import no_model_yet
from ui.components.run_format import unique_labels
from ui.shell.navigation import RUN
from ui.state.current import remembered


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


def current_run(workspace: Workspace, key: str) -> RunRecord | None:
    """The run whose model is current; where there is none, what to do first is drawn, and None returned.

    Args:
        workspace: that holds the runs.
        key: names the controls on their page.
    """
    runs = {run.id: run for run in list_runs(workspace) if run.has_model}
    chosen = runs.get(remembered().run or "")
    if chosen is None:
        no_model_yet(workspace, key, list(runs.values()))
        return None
    if st.query_params.get(RUN, chosen.id) != chosen.id:
        st.warning("The run of this link has no model, or no longer exists. Another one is shown.")
    return chosen


def dataset_labels(datasets: Iterable[Dataset]) -> dict[str, str]:
    """The name of each dataset by its id, with a number where an older one has the same name."""
    oldest_first = sorted(datasets, key=lambda dataset: dataset.created)
    return unique_labels((dataset.id, dataset.name) for dataset in oldest_first)
