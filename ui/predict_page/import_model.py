"""The form that takes a model file, and asks what its classes are called where the file does not say it."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from tl_core.errors import TransferLearningError
from tl_core.imported_models.check.architecture import LIMITS
from tl_core.imported_models.check.manifest import names_in_lines
from tl_core.imported_models.importing import import_model, inspect_file
from tl_core.storage.workspace import Workspace
from ui.predict_page.openings import start_opening
from ui.shell.access.endpoints import release_uploads

FILE_TYPES: Final = ("zip", "keras")
PARAMETER: Final = "model"  # in the address: the id of the imported model that answers
_GENERATION: Final = "brought-generation"  # a new one empties the form


def import_model_section(workspace: Workspace, key: str, *, first: bool) -> None:
    """Draw the form; a model that was accepted is in the address afterwards, and is being opened.

    Args:
        workspace: where the model is kept.
        key: prefix of the controls' keys.
        first: whether there is no other imported model yet.
    """
    generation = st.session_state.get(_GENERATION, 0)
    title = "Open a model from a file" if first else "Open another model from a file"
    with st.expander(title, expanded=first, icon=":material/upload_file:", key=f"{key}-form-{first}-{generation}"):
        st.caption(
            "A model that was trained on another machine: in its run there, *Export the model*, *Keras* "
            "gives the zip to bring here. A .keras file alone will do, too. At most "
            f"{LIMITS.archive.file_bytes // 1_000_000} MB. The file is checked, and opened in a process of its own "
            "that can do nothing but answer."
        )
        file = st.file_uploader(
            "Model file",
            type=FILE_TYPES,
            max_upload_size=LIMITS.archive.file_bytes // 1_000_000,
            key=f"{key}-file-{generation}",
        )
        if file is not None:
            try:
                _accept(workspace, file, f"{key}-{generation}")
            except TransferLearningError as error:
                st.error(str(error), icon=":material/error:")


def _accept(workspace: Workspace, file: Any, key: str) -> None:
    architecture = inspect_file(file)
    names = _ask_for_names(architecture.classes, key) if architecture else None
    if st.button("Open this model", type="primary", key=f"{key}-open", icon=":material/lock_open:"):
        with st.spinner("Checking the file …"):
            model = import_model(workspace, file, file.name, names)
        start_opening(workspace, model, just_imported=True)
        release_uploads([file])  # the workspace has it; the field is drawn again, empty
        st.session_state[_GENERATION] = st.session_state.get(_GENERATION, 0) + 1
        st.query_params[PARAMETER] = model.id
        st.rerun()


def _ask_for_names(classes: int, key: str) -> list[str]:
    text = st.text_area(
        f"What are its {classes:,} classes called?",
        key=f"{key}-names",
        placeholder="cat\ndog",
        help="One name per line, in the order in which the model was trained: in this dashboard the order of the "
        "alphabet. The file alone does not say it.",
    )
    return names_in_lines(text)
