"""Advice on a run's curves, with a button that opens the form with the change."""

from __future__ import annotations

import streamlit as st

from tl_core.advice import Remark, curves_of, remark_on
from tl_core.figures.history import History
from tl_core.runs import RunRecord
from ui.components.markdown import plain
from ui.shell.navigation import TRAIN, go_to
from ui.state.training_draft import draft


def curve_advice(run: RunRecord, history: History, key: str) -> None:
    """Draw the most urgent remark; nothing where there is nothing to say."""
    remark = remark_on(curves_of(run, history))
    if remark is None:
        return
    with st.container(border=True):
        words, action = st.columns([3, 1], gap="medium", vertical_alignment="center")
        words.markdown(f":material/school: {plain(remark.text)}")
        if remark.config is not None and action.button(
            remark.action or "Try it",
            key=f"{key}-coach",
            width="stretch",
            help="Opens the training form with the settings of this run and this one change. Nothing starts yet.",
        ):
            _open_form(run, remark)


def _open_form(run: RunRecord, remark: Remark) -> None:
    form = draft()
    assert remark.config is not None  # noqa: S101  # there is a button for it
    form.fill(remark.config)
    form.dataset_id = run.dataset_id  # the form says so if these images are gone
    go_to(TRAIN)
