"""A model from another machine answers: its file is taken, opened in the background, and chosen among several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import streamlit as st

from tl_core.errors import ModelFileError, TransferLearningError
from tl_core.imported_models.check.architecture import LIMITS
from tl_core.imported_models.check.manifest import names_in_lines
from tl_core.imported_models.importing import import_model, inspect_file
from tl_core.imported_models.model_server import end_if_open, hold_open, is_open
from tl_core.imported_models.store import MODELS, ImportedModel, delete_imported_model, list_imported_models
from tl_core.machine.progress import TaskContext
from tl_core.runs import list_runs
from tl_core.storage.format import large_count, moment, size
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.pickers import pick
from ui.components.run_format import unique_labels
from ui.components.task_progress import task_progress
from ui.predict_page.model_scale import scale_in_words
from ui.predict_page.pick_model import format_knowledge
from ui.shell.access.endpoints import release_uploads
from ui.shell.errors import error_boundary
from ui.state.background_tasks import BackgroundTasks
from ui.state.current import ANY_FILE, FILE, chosen_file
from ui.state.current import asks_a_file as asked_for_file

FILE_TYPES: Final = ("zip", "keras")
TRAINED_HERE: Final = "Trained here"
FROM_A_FILE: Final = "From a file"
OPENINGS: Final[BackgroundTasks[None]] = BackgroundTasks(  # it takes seconds, can be cancelled, and outlives a reload
    "opening",
    at_a_time=1,  # one imported model is open at a time
    remembered=50,
    unexpected="The model could not be opened because of an unexpected error; the server's log has the details.",
)
_GENERATION: Final = "brought-generation"  # a new one empties the form


def asks_a_file(workspace: Workspace, key: str) -> bool:
    """Draw the choice between the runs of this workspace and imported models; returns whether a file is chosen."""
    from_file = asked_for_file(st.query_params.to_dict(), list_imported_models(workspace), list_runs(workspace))
    st.session_state[key] = FROM_A_FILE if from_file else TRAINED_HERE
    chosen = st.segmented_control(
        "Model",
        [TRAINED_HERE, FROM_A_FILE],
        required=True,
        key=key,
        on_change=_remember_kind,
        args=(key,),
        help="A model from a file is one that was trained on another machine.",
    )
    return chosen == FROM_A_FILE


def _remember_kind(key: str) -> None:
    if st.session_state[key] == FROM_A_FILE:
        st.query_params[FILE] = ANY_FILE
    elif st.session_state[key] == TRAINED_HERE:  # else the chosen one was pressed once more, which changes nothing
        st.query_params.pop(FILE, None)


def pick_imported_model(workspace: Workspace, key: str) -> ImportedModel | None:
    """Draw the imported models, and what is known of the chosen one; returns it, or None where there is none yet."""
    models = {model.id: model for model in list_imported_models(workspace)}
    named = st.query_params.get(FILE)
    if named and named not in (ANY_FILE, *models):
        _why_gone(named, f"{key}-gone")
    newest = chosen_file({}, tuple(models.values()))
    if newest is None:
        return None
    chosen = newest.id
    if len(models) > 1:
        oldest_first = sorted(models.values(), key=lambda model: model.brought)
        labels = unique_labels((model.id, model.name) for model in oldest_first)
        words = "Those that were opened in this workspace, newest first."
        chosen = pick("Model from a file", labels, FILE, chosen, f"{key}-which", words)
    _describe(workspace, models[chosen], key)
    return models[chosen]


def _describe(workspace: Workspace, model: ImportedModel, key: str) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(model.name)}**", width="content")
            st.badge("from a file", icon=":material/upload_file:", color="gray")
            st.space("stretch")
            if is_mine(workspace, model.path):
                st.button(
                    "Remove this model",
                    key=f"{key}-forget-{model.id}",
                    icon=":material/delete:",
                    type="tertiary",
                    on_click=_forget,
                    args=(workspace, model),
                    help="Deletes it from this machine. Your file stays as it is.",
                )
        st.caption("  \n".join(_facts(model)))
        scale_in_words(workspace, model, key)


def _facts(model: ImportedModel) -> Iterator[str]:
    yield format_knowledge(model.classes, model.threshold)
    yield (
        f"{plain(model.file_name)}, brought {moment(model.brought)} · {size(model.size, digits=1)}, "
        f"{large_count(model.parameters)} weights · images of {model.image_size} × {model.image_size} pixels"
    )
    if not model.has_manifest:
        yield "The file did not say how sure the model has to be, so it always answers."


@error_boundary()
def _forget(workspace: Workspace, model: ImportedModel) -> None:
    """Close the model, or stop opening it; whoever is asking it gets a sentence."""
    MODELS.require_mine(workspace, model.id)
    for task in OPENINGS.running(model.id):
        OPENINGS.cancel(task.id)
    end_if_open(model)
    delete_imported_model(workspace, model.id)
    st.query_params[FILE] = ANY_FILE
    st.toast(f"{plain(model.name)} was removed.", icon=":material/delete:")


def _why_gone(model_id: str, key: str) -> None:
    """Say why a model that the address names is not there: it was refused when it was opened, or is forgotten."""
    task = OPENINGS.latest(model_id)
    if task is not None and (task.error or not task.ended):  # the file is gone, the sentence comes soon
        task_progress(OPENINGS, task, key)
    else:
        st.error("The model of this link is no longer here: open its file again.", icon=":material/error:")


def import_model_section(workspace: Workspace, key: str, *, first: bool) -> None:
    """Draw the form, open if it is the first; an accepted model is in the address afterwards, and is being opened."""
    generation = st.session_state.get(_GENERATION, 0)
    title = "Open a model from a file" if first else "Open another model from a file"
    with st.expander(title, expanded=first, icon=":material/upload_file:", key=f"{key}-form-{first}-{generation}"):
        st.caption(
            "A model that was trained on another machine: in its run there, *Export the model*, *Keras* gives the "
            "zip to bring here. A .keras file on its own works too, also from plain Keras. At most "
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
    architecture, names = inspect_file(file), None
    if architecture:  # the file does not say what its classes are called
        text = st.text_area(
            f"What are its {architecture.classes:,} classes called?",
            key=f"{key}-names",
            placeholder="cat\ndog",
            help="One name per line, in the order in which the model was trained: in this dashboard the order of the "
            "alphabet. The file alone does not say it.",
        )
        names = names_in_lines(text)
    if st.button("Open this model", type="primary", key=f"{key}-open", icon=":material/lock_open:"):
        with st.spinner("Checking the file …"):
            model = import_model(workspace, file, file.name, names)
        _start_opening(workspace, model, just_imported=True)
        release_uploads([file])  # the workspace has it; the field is drawn again, empty
        st.session_state[_GENERATION] = st.session_state.get(_GENERATION, 0) + 1
        st.query_params[FILE] = model.id
        st.rerun()


def _start_opening(workspace: Workspace, model: ImportedModel, *, just_imported: bool = False) -> None:
    """Begin to open a model, unless that is going on already; one just imported is kept only if it opens."""

    def work(context: TaskContext) -> None:
        try:
            hold_open(model, context)
        except ModelFileError:
            if just_imported:
                delete_imported_model(workspace, model.id)
            raise

    OPENINGS.start(f"Opening {model.name}", work, model.id, alone=True)


def being_opened(model: ImportedModel) -> bool:
    """Whether there is something to show about its opening, even if nobody asks it anything."""
    task = OPENINGS.latest(model.id)
    return task is not None and task.state != "done"


def opened(workspace: Workspace, model: ImportedModel, key: str) -> bool:
    """Open the model if it is not open; draw how that stands, with a way to cancel it.

    Returns:
        Whether it answers at once.
    """
    if is_open(model):
        return True
    task = OPENINGS.latest(model.id)
    if task is None or task.state == "done":  # never opened since the server was started, or ended when idle
        _start_opening(workspace, model)
        task = OPENINGS.latest(model.id)
    assert task is not None  # noqa: S101  # it has just been started
    task_progress(OPENINGS, task, key)
    if task.ended:
        st.button(
            "Open it again",
            key=f"{key}-again",
            icon=":material/refresh:",
            on_click=_start_opening,
            args=(workspace, model),
        )
    return False
