"""How far work in the background is, with the button that cancels it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.state.background_tasks import BackgroundTasks, Task


def task_progress(tasks: BackgroundTasks[Any], task: Task[Any], words: str, key: str) -> None:
    """Draw a bar and a button.

    Args:
        tasks: what the task is one of.
        task: how it stands; it has not ended.
        words: what it is doing and how far it is, as Markdown.
        key: of the button.
    """
    st.progress(task.fraction, text="Cancelling …" if task.stopping else words)
    st.button(
        "Cancel", key=key, icon=":material/close:", disabled=task.stopping, on_click=tasks.cancel, args=(task.id,)
    )
