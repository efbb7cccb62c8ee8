"""A second model that is asked about the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import streamlit as st

from tl_core.format import count
from tl_core.runs import RunRecord, list_runs
from tl_core.storage.workspace import Workspace, is_id
from ui.components.run_format import run_labels
from ui.components.run_picker import best_of_last, pick_run

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

_PARAMETER: Final = "with"  # in the address, so that a link shows the same two models
_NOTHING: Final = ""  # chosen where no second model is asked


def pick_runs(workspace: Workspace, key: str) -> list[RunRecord]:
    """Draw the list of runs that have a model, and where there are several one for a second model beside it.

    Returns:
        The chosen runs: none where there is no model, else one or two.
    """
    several = sum(run.has_model for run in list_runs(workspace)) > 1
    places = st.columns(2, gap="medium") if several else [st.container()]
    with places[0]:
        first = pick_run(workspace, best_of_last, key=f"{key}-run")
    if first is None or not several:
        return [first] if first else []
    with places[1]:
        second = _pick_second(workspace, first, f"{key}-with")
    return [first, second] if second else [first]


def _pick_second(workspace: Workspace, first: RunRecord, key: str) -> RunRecord | None:
    others = {run.id: run for run in list_runs(workspace) if run.has_model and run.id != first.id}
    named = st.query_params.get(_PARAMETER)
    # Set before it is drawn, each time: the address is the truth, the control only shows it.
    st.session_state[key] = named if named in others else _NOTHING
    labels = run_labels(others.values())
    chosen = st.selectbox(
        "Compare with",
        [_NOTHING, *others],
        format_func=lambda run_id: labels[run_id] if run_id else "no other model",
        key=key,
        on_change=_remember,
        args=(key,),
        help="Another model answers beside this one, about the same pictures.",
    )
    return others.get(chosen)


def format_agreement(first: Sequence[Answer], second: Sequence[Answer]) -> str:
    """How often two models say the same, as Markdown; *I don't know* agrees with nothing but itself."""
    usable = [pair for pair in zip(first, second, strict=True) if pair[0].ranked]
    same = sum(_said(one) == _said(other) for one, other in usable)
    if len(usable) == 1:
        return "Both models say the same." if same else "The two models say different things."
    return f"Both models say the same about **{same:,}** of {count(len(usable), 'picture')}."


def _said(answer: Answer) -> str | None:
    return answer.ranked[0][0] if answer.answered else None


def _remember(key: str) -> None:
    if is_id(chosen := st.session_state[key]):
        st.query_params[_PARAMETER] = chosen
    elif chosen == _NOTHING:
        st.query_params.pop(_PARAMETER, None)
