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
    """Draw the button; the question stands in what it opens, with a second button that calls the action.

    Args:
        label: of the first button.
        icon: of the first button.
        question: what will be gone, as Markdown.
        answer: label of the second button.
        action: called with ``args`` as they were when they were drawn, whatever has happened since; before the page
            is drawn again. An error of it is shown as a sentence.
        key: begins that of the first button; the second has it with ``-yes``, the one that keeps all with ``-no``.
        note: what stays, or what it will cost, under the question.
        disabled: whether there is nothing to ask about.
    """
    turn = f"{key}-turn"  # counts the answers: a popover with a new key is closed
    with st.popover(label, icon=icon, disabled=disabled, key=f"{key}-{st.session_state.get(turn, 0)}"):
        st.markdown(question)
        if note:
            st.caption(note)
        # The one that loses something is red (contrast.css), and not where the first button was pressed.
        st.button("Keep it", key=f"{key}-no", width="stretch", on_click=_close, args=(turn,))
        st.button(answer, key=f"{key}-yes", width="stretch", on_click=error_boundary()(action), args=args)


def _close(turn: str) -> None:
    st.session_state[turn] = st.session_state.get(turn, 0) + 1
