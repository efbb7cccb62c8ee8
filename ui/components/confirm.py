"""A button that asks before it does what cannot be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from ui.shell.errors import error_boundary


def confirm(
    label: str,
    icon: str,
    question: str,
    answer: str,
    action: Callable[..., Any],
    *args: Any,
    key: str,
    note: str = "",
    disabled: bool = False,
) -> None:
    """Draw the button; the question (Markdown) stands in what it opens, with a second button that calls the action.

    It is called before the page is drawn again, with ``args`` as they were when the question was drawn, whatever has
    happened since; an error of it is shown as a sentence. The key of the second button ends in ``-yes``.
    """
    with st.popover(label, icon=icon, disabled=disabled, key=key):
        st.markdown(question)
        if note:
            st.caption(note)
        st.button(answer, key=f"{key}-yes", width="stretch", on_click=error_boundary()(action), args=args)
