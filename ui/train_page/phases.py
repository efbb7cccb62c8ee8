"""The two phases side by side: first the head, then, if layers are unfrozen, the top of the backbone."""

from __future__ import annotations

import streamlit as st

from ui.state.training_draft import Draft, draft
from ui.train_page.controls import control
from ui.train_page.learning_rates import compare_rates


def phases() -> None:
    """Epochs and learning rate of both phases."""
    form = draft()
    head, fine_tuning = st.columns(2, gap="medium")
    with head.container(border=True, height="stretch"):
        st.markdown("**Phase 1: train the head**")
        control("learning_rate")
        control("epochs")
        st.caption("The whole backbone is frozen; the new layers on top of it learn your classes.")
    with fine_tuning.container(border=True, height="stretch"):
        st.markdown("**Phase 2: fine-tune the backbone**")
        off = form.values["frozen_layers"] is None
        control("fine_tune_learning_rate", disabled=off)
        control("fine_tune_epochs", disabled=off and not form.values["fine_tune_epochs"])
        st.caption(_second_phase(form))


def _second_phase(form: Draft) -> str:
    if form.values["frozen_layers"] is None:
        return "Not needed while all layers are frozen. Freeze fewer layers to add it."
    if not form.values["fine_tune_epochs"]:
        return "Left out: it has 0 epochs."
    comparison = compare_rates(form.values["fine_tune_learning_rate"], form.values["learning_rate"])
    return f"The unfrozen layers adapt to your images, at a rate {comparison} the head's."
