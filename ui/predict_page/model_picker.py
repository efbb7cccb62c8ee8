"""Whether a run or an imported model answers, and which file; the address keeps the choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import streamlit as st

from tl_core.imported_models.store import MODELS, ImportedModel, delete_imported_model, list_imported_models
from tl_core.runs import list_runs
from tl_core.storage.format import large_count, moment, size
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.predict_page.import_model import PARAMETER
from ui.predict_page.openings import give_up, why_gone
from ui.predict_page.pick_model import format_knowledge
from ui.shell.errors import error_boundary

TRAINED_HERE: Final = "Trained here"
FROM_A_FILE: Final = "From a file"
_ANY: Final = "any"  # in place of an id: whichever there is


def asks_a_file(workspace: Workspace, key: str) -> bool:
    """Draw the choice between the runs of this workspace and imported models; returns whether a file is chosen."""
    named = PARAMETER in st.query_params
    only_files = not named and "run" not in st.query_params and _only_files(workspace)
    st.session_state[key] = FROM_A_FILE if named or only_files else TRAINED_HERE
    chosen = st.segmented_control(
        "Which model answers",
        [TRAINED_HERE, FROM_A_FILE],
        required=True,
        key=key,
        on_change=_remember_kind,
        args=(key,),
        help="A model from a file is one that was trained on another machine.",
    )
    return chosen == FROM_A_FILE


def pick_imported_model(workspace: Workspace, key: str) -> ImportedModel | None:
    """Draw the imported models, and what is known of the chosen one.

    Returns:
        The chosen one; None where there is none yet.
    """
    models = {model.id: model for model in list_imported_models(workspace)}
    named = st.query_params.get(PARAMETER)
    if named and named not in models and named != _ANY:
        why_gone(named, f"{key}-gone")
    model = _choose(models, named, key) if models else None
    if model is not None:
        _describe(workspace, model, key)
    return model


def _choose(models: dict[str, ImportedModel], named: str | None, key: str) -> ImportedModel:
    if len(models) == 1:
        return next(iter(models.values()))
    labels = _labels(models.values())
    st.session_state[f"{key}-which"] = named if named in models else next(iter(models))
    chosen = st.selectbox(
        "Model from a file",
        list(models),
        format_func=labels.__getitem__,
        key=f"{key}-which",
        on_change=_remember_model,
        args=(f"{key}-which",),
        help="Those that were opened in this workspace, newest first.",
    )
    return models[chosen]


def _describe(workspace: Workspace, model: ImportedModel, key: str) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(model.name)}**", width="content")
            st.badge("from a file", icon=":material/upload_file:", color="gray")
            st.space("stretch")
            if is_mine(workspace, model.path):
                st.button(
                    "Forget it",
                    key=f"{key}-forget-{model.id}",
                    icon=":material/delete:",
                    type="tertiary",
                    on_click=_forget,
                    args=(workspace, model),
                    help="Deletes it from this machine. Your file stays as it is.",
                )
        st.caption("  \n".join(_facts(model)))


def _facts(model: ImportedModel) -> Iterable[str]:
    yield format_knowledge(model.classes, model.threshold)
    parts = [
        f"{plain(model.file_name)}, brought {moment(model.brought)}",
        f"{size(model.size, digits=1)}, {large_count(model.parameters)} weights",
        f"images of {model.image_size} × {model.image_size} pixels",
    ]
    yield " · ".join(parts)
    if not model.has_manifest:
        yield (
            "The file did not say how sure the model has to be, so it always answers. It is given colours as they "
            "are, 0 to 255: a model that was made elsewhere and wants others answers nonsense."
        )


def _labels(models: Iterable[ImportedModel]) -> dict[str, str]:
    """Names as entries of a list, no two of them equal."""
    labels: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for model in sorted(models, key=lambda model: model.brought):
        seen[model.name] += 1
        labels[model.id] = model.name if seen[model.name] == 1 else f"{model.name} ({seen[model.name]})"
    return labels


def _only_files(workspace: Workspace) -> bool:
    return bool(list_imported_models(workspace)) and not any(run.has_model for run in list_runs(workspace))


def _remember_kind(key: str) -> None:
    if st.session_state[key] == FROM_A_FILE:
        st.query_params[PARAMETER] = _ANY
    elif (
        st.session_state[key] == TRAINED_HERE
    ):  # pressing the chosen one once more chooses nothing, and changes nothing
        st.query_params.pop(PARAMETER, None)


def _remember_model(key: str) -> None:
    st.query_params[PARAMETER] = st.session_state[key]


def _forget(workspace: Workspace, model: ImportedModel) -> None:
    with error_boundary():
        MODELS.require_mine(workspace, model.id)
        give_up(model)
        delete_imported_model(workspace, model.id)
        st.query_params[PARAMETER] = _ANY
        st.toast(f"{plain(model.name)} is forgotten.", icon=":material/delete:")
