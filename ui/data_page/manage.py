"""Choosing, renaming and deleting a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from tl_core.data import Dataset, delete_dataset, find_dataset, rename_dataset
from tl_core.data.editing import delete_class, merge_classes
from tl_core.data.imports.class_names import MAX_CLASS_NAME
from tl_core.errors import DatasetNotFoundError, TransferLearningError
from tl_core.runs import list_runs
from tl_core.storage.format import count
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.confirm import confirm
from ui.components.markdown import plain
from ui.components.pickers import dataset_labels, pick
from ui.data_page.edits import act
from ui.shell.errors import error_boundary
from ui.state.current import choose_dataset as choose_everywhere
from ui.state.current import remembered

_CHOICE: Final = "dataset_choice"


def warn_about_dead_link(workspace: Workspace, fresh: str | None) -> None:
    """Explain why the dataset that the address names is not shown.

    Args:
        workspace: with the person.
        fresh: id of a dataset that has just been imported, which is shown in any case.
    """
    linked = st.query_params.get("dataset")
    if linked is None or fresh is not None:
        return
    try:
        find_dataset(workspace, linked)
    except DatasetNotFoundError:
        st.warning("The dataset of this link is not there (any more).", icon=":material/link_off:")
    except TransferLearningError as error:
        st.warning(str(error), icon=":material/link_off:")


def choose_dataset(datasets: Sequence[Dataset], fresh: str | None = None) -> Dataset:
    """Let the person choose one; at first the one just imported, the one of the link, or the one shown last.

    Args:
        datasets: newest first, at least one.
        fresh: id of a dataset that has just been imported.
    """
    by_id = {dataset.id: dataset for dataset in datasets}
    options = {
        name: f"{label} ({count(len(by_id[name].images), 'image')})"
        for name, label in dataset_labels(datasets).items()
    }
    if fresh in by_id:
        st.query_params["dataset"] = fresh
    current = remembered().dataset
    default = current if current in by_id else datasets[0].id
    chosen = pick("Dataset", options, "dataset", default, _CHOICE)
    st.query_params["dataset"] = chosen
    if remembered().dataset != chosen:  # just imported: the frame, drawn above, shows it too
        choose_everywhere(chosen)
        st.rerun()
    return by_id[chosen]


def show_managing(workspace: Workspace, dataset: Dataset) -> None:
    """Draw the ways to rename and to delete a dataset, where it is the person's."""
    if not is_mine(workspace, dataset.path):
        return
    # The name is part of the key, so that the new name closes the field.
    key = f"rename-{dataset.id}-{dataset.name}"
    with (
        st.popover("Rename", icon=":material/edit:", key=key),
        st.form(f"form-{key}", border=False),
        error_boundary(),
    ):
        name = st.text_input("New name", dataset.name, max_chars=100)
        if st.form_submit_button("Rename"):
            rename_dataset(workspace, dataset.id, name)
            st.rerun()
    with st.popover("Classes", icon=":material/label:", key=f"classes-{dataset.id}-{dataset.revision}"):
        _classes(workspace, dataset)
    confirm(
        "Delete",
        ":material/delete:",
        f"**Delete {plain(dataset.name)}?** Its {count(len(dataset.images), 'image')} will be gone from here.",
        "Delete it",
        _delete,
        workspace,
        dataset.id,
        key=f"delete-{dataset.id}",
        note=_what_stays(workspace, dataset),
    )


def _what_stays(workspace: Workspace, dataset: Dataset) -> str:
    stays = "Your own files and the models trained on them stay."
    at_work = [run for run in list_runs(workspace) if run.active and run.dataset_id == dataset.id]
    if not at_work:
        return stays
    return f"**{plain(at_work[0].name)}** still needs these images: it could not be resumed without them. {stays}"


def _classes(workspace: Workspace, dataset: Dataset) -> None:
    """Rename, merge and delete classes."""
    key = f"classes-{dataset.id}-{dataset.revision}"
    old = st.multiselect(
        "Classes to change", dataset.classes, key=f"{key}-old", placeholder="One, or several to merge"
    )
    new = st.text_input(
        "New name of the class",
        old[0] if len(old) == 1 else "",
        max_chars=MAX_CLASS_NAME,
        key=f"{key}-new-{'-'.join(old)}",
        help="The name of another class makes one of the two.",
    ).strip()
    merging = len(old) > 1 or (new in dataset.classes and [new] != old)
    with st.container(horizontal=True):
        st.button(
            "Merge" if merging else "Rename",
            key=f"{key}-do",
            type="primary",
            disabled=not old or not new or old == [new],
            on_click=act,
            args=(lambda: merge_classes(workspace, dataset.id, old, new),),
        )
        st.button(
            "Delete the class",
            key=f"{key}-delete",
            icon=":material/delete:",
            disabled=len(old) != 1,
            help="Takes the class and its images out. Undo brings them back.",
            on_click=act,
            args=(lambda: delete_class(workspace, dataset.id, old[0]),),
        )


def _delete(workspace: Workspace, dataset_id: str) -> None:
    name = find_dataset(workspace, dataset_id).name
    delete_dataset(workspace, dataset_id)
    st.toast(f"{plain(name)} was deleted.", icon=":material/delete:")
    st.query_params.pop("dataset", None)
