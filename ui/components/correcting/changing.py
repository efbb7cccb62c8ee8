"""Changing images in a callback; why something was refused stands where it was asked for."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from tl_core.errors import TransferLearningError
from ui.shell.errors import error_boundary


@error_boundary()
def change(make: Callable[[], object], key: str) -> None:
    """Do it, for a callback; a refusal is kept until the page is drawn.

    Args:
        make: what changes something.
        key: of the place that shows the refusal, see `show_refusal`.
    """
    try:
        make()
    except TransferLearningError as error:
        st.session_state[f"{key}-refused"] = str(error)


def show_refusal(key: str) -> None:
    """Say once why the last change of this place was refused."""
    if refused := st.session_state.pop(f"{key}-refused", None):
        st.error(refused, icon=":material/error:")
