"""The dataset that is shown; renaming and deleting it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from tl_core.data import Dataset, delete_dataset, find_dataset, list_datasets, rename_dataset
from tl_core.data.editing import delete_class, merge_classes
from tl_core.data.imports.class_names import MAX_CLASS_NAME
from tl_core.errors import DatasetNotFoundError, TransferLearningError
from tl_core.runs import list_runs
from tl_core.storage.format import count
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.confirm import confirm
from ui.components.markdown import plain
from ui.components.pickers import dataset_labels
from ui.data_page.edits import act
from ui.shell.errors import error_boundary
from ui.shell.navigation import DATASET
from ui.state.current import choose_dataset as choose_everywhere
from ui.state.current import remembered

DELETED: Final = "deleted"  # in the address, until another page or dataset is chosen
MOST_OFFERED: Final = 8
_DELETED: Final = "dataset-deleted"  # in the session: the name of what was deleted
_BESIDE: Final = "dataset-beside"  # the dataset that has become current then


def warn_about_dead_link(workspace: Workspace, fresh: str | None) -> None:
    """Explain why the dataset that the address names is not shown.

    Args:
        workspace: with the person.
        fresh: id of a dataset that has just been imported, which is shown in any case.
    """
    linked = st.query_params.get(DATASET)
    if linked is None or fresh is not None:
        return
    try:
        find_dataset(workspace, linked)
    except DatasetNotFoundError:
        st.warning("This link leads to a dataset that is not here, or no longer.", icon=":material/link_off:")
    except TransferLearningError as error:
        st.warning(str(error), icon=":material/link_off:")


def current_dataset(datasets: Sequence[Dataset], fresh: str | None = None) -> Dataset:
    """The dataset that is chosen in the line at the top, or the one that has just been imported.

    Args:
        datasets: newest first, at least one.
        fresh: id of a dataset that has just been imported.
    """
    by_id = {dataset.id: dataset for dataset in datasets}
    current = remembered().dataset
    wanted = fresh if fresh in by_id else current if current in by_id else datasets[0].id
    st.query_params[DATASET] = wanted
    if current != wanted:  # the frame, drawn above, shows it too
        choose_everywhere(wanted)
        st.rerun()
    return by_id[wanted]


def after_deletion(datasets: Sequence[Dataset]) -> bool:
    """Say that a dataset was deleted, and let the person choose another; returns whether that is all there is to see.

    None of the others is shown by itself: its *Delete* would stand where the finger still is.
    """
    name, current = st.session_state.get(_DELETED), remembered().dataset
    if name is None or DELETED not in st.query_params or st.session_state.setdefault(_BESIDE, current) != current:
        for key in (_DELETED, _BESIDE):
            st.session_state.pop(key, None)
        st.query_params.pop(DELETED, None)
        return False
    st.success(f"**{plain(name)}** was deleted.", icon=":material/delete:")
    st.markdown("Show another dataset:")
    labels = dataset_labels(datasets)
    for dataset in datasets[:MOST_OFFERED]:
        text = f"{plain(labels[dataset.id])} ({count(len(dataset.images), 'image')})"
        st.button(text, key=f"show-{dataset.id}", on_click=_show, args=(dataset.id,))
    return True


def _show(dataset_id: str) -> None:
    st.session_state.pop(_DELETED, None)
    choose_everywhere(dataset_id)


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
    stays = (
        "This cannot be undone. Your own files stay, and so do the models trained on these images, with the results "
        "so far; nothing new can be measured without the images."
    )
    runs = [run for run in list_runs(workspace) if run.dataset_id == dataset.id]
    if at_work := [run for run in runs if run.active]:
        return (
            f"**{plain(at_work[0].name)}** is being trained on these images, or waits for it: were it cut off, it "
            f"could not go on without them. {stays}"
        )
    if cut_off := [run for run in runs if run.status == "interrupted"]:
        return f"**{plain(cut_off[0].name)}** was cut off and could not go on without these images. {stays}"
    return stays


def _classes(workspace: Workspace, dataset: Dataset) -> None:
    """Rename, merge and delete classes."""
    key = f"classes-{dataset.id}-{dataset.revision}"
    old = st.multiselect(
        "Classes to change", dataset.classes, key=f"{key}-old", placeholder="One, or several to merge"
    )
    field = f"{key}-new-{'-'.join(old)}"
    new = st.text_input(
        "New name of the class",
        old[0] if len(old) == 1 else "",
        max_chars=MAX_CLASS_NAME,
        key=field,
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
            # From the field itself: a press right after typing comes before the page has been drawn with the name.
            args=(lambda: merge_classes(workspace, dataset.id, old, st.session_state[field].strip()),),
            kwargs={"press": (f"{key}-do", dataset.revision)},
        )
        st.button(
            "Delete the class",
            key=f"{key}-delete",
            icon=":material/delete:",
            disabled=len(old) != 1,
            help="Takes the class and its images out. Undo brings them back.",
            on_click=act,
            args=(lambda: delete_class(workspace, dataset.id, old[0]),),
            kwargs={"press": (f"{key}-delete", dataset.revision)},
        )


def _delete(workspace: Workspace, dataset_id: str) -> None:
    name = find_dataset(workspace, dataset_id).name
    delete_dataset(workspace, dataset_id)
    st.query_params.pop(DATASET, None)
    if not list_datasets(workspace):  # else the page has room to say it, above the choice of another
        st.toast(f"{plain(name)} was deleted.", icon=":material/delete:")
    st.query_params[DELETED] = "1"
    st.session_state[_DELETED] = name
    st.session_state.pop(_BESIDE, None)
