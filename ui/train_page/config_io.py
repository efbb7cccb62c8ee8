"""Saving the form as text and loading it again."""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.config import TrainingConfig
from tl_core.errors import ConfigError, TransferLearningError
from ui.components.downloads import download
from ui.state.config_text import from_text, to_text
from ui.state.training_draft import draft

FILE_NAME: Final = "training-configuration.json"
_TEXT_KEY: Final = "train_text"
_FILE_KEY: Final = "train_text_file"
_ANSWER_KEY: Final = "train_text_answer"


def save_and_load() -> None:
    """Both ways between the form and its text version."""
    save, load = st.columns(2, gap="medium")
    with save:
        _save()
    with load:
        _load()


def _save() -> None:
    st.markdown("**Save**")
    st.caption("Every setting of this form as text: keep it beside your results, or send it to a colleague.")
    try:
        text = to_text(draft().config())
    except ConfigError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    download("Save configuration", text, FILE_NAME, help="Downloads a small text file in the JSON format.")
    with st.container(height=240, border=False):
        st.code(text, language="json")


def _load() -> None:
    st.markdown("**Load**")
    st.caption("Fills in the form. Settings that the text leaves out take their defaults.")
    st.file_uploader(
        "A saved file",
        type=["json", "txt"],
        key=_FILE_KEY,
        max_upload_size=1,
        on_change=_load_file,
        help="The file that “Save configuration” made.",
    )
    st.text_area(
        "Or its text", key=_TEXT_KEY, height=120, placeholder='{"epochs": 20, …}', help="Paste the saved text here."
    )
    st.button("Use this text", icon=":material/upload:", on_click=_load_text, help="Fills in the form from the text.")
    answer = st.session_state.pop(_ANSWER_KEY, None)
    if answer:
        loaded, sentence = answer
        (st.success if loaded else st.error)(sentence, icon=":material/check:" if loaded else ":material/error:")


def _load_file() -> None:
    uploaded = st.session_state[_FILE_KEY]
    if uploaded is not None:
        _fill_from(uploaded.getvalue())


def _load_text() -> None:
    _fill_from(st.session_state.get(_TEXT_KEY) or "")


def _fill_from(text: str | bytes) -> None:
    try:
        config: TrainingConfig = from_text(text)
        draft().fill(config)
    except TransferLearningError as error:
        st.session_state[_ANSWER_KEY] = (False, str(error))
    else:
        st.session_state[_ANSWER_KEY] = (True, "Loaded: the form now shows this configuration.")
