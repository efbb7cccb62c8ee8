"""Labelling by pointing: the form that begins one, those that are not finished, and the one that is at work."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from tl_core.data import Dataset
from tl_core.data.collecting import COLLECTIONS
from tl_core.data.imports.class_names import clean_text
from tl_core.errors import DatasetNotFoundError
from tl_core.machine.progress import TaskContext
from tl_core.storage.format import count, percent
from tl_core.storage.workspace import Workspace
from ui.components.confirm import confirm
from ui.components.markdown import plain
from ui.components.task_progress import task_progress
from ui.data_page.new_dataset import ButtonType, begin_import, name_field, split_controls
from ui.data_page.piles import (
    EVERYTHING,
    UNLABELLED,
    arriving,
    file_field,
    form_collection,
    let_go,
    pile_pictures,
    show_left_out,
)
from ui.data_page.pointing.board import board, pressed, question_id
from ui.shell.errors import error_boundary
from ui.state.background_tasks import BackgroundTasks
from ui.state.tab_memory import keep_in_tab, kept_in_tab

if TYPE_CHECKING:
    from tl_core.audit.pointing.labelling import Conclusion, Labelling
    from tl_core.audit.pointing.standing import Standing

POINTERS: Final = BackgroundTasks[Any](  # the result is a `Pointer`
    "labelling",
    at_a_time=1,
    remembered=20,
    unexpected="The labelling ended because of an unexpected error; what was said is kept. The log has the details.",
    unit="picture",
)
LABELLING: Final = "labelling"  # in the address
_TWO_LINES: Final = 68  # px, the least that a field of several lines may have
_NAMES: Final = "labelling-classes"  # key of the field, and in the memory of the tab what is in it
MIN_PICTURES: Final = 10
SURE_ENOUGH: Final = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)  # from which a conclusion may be taken


def begin_by_pointing(workspace: Workspace, kind: ButtonType) -> None:
    """Draw the labellings that are not finished, and the form that begins one."""
    st.fragment(_begin_form)(workspace, kind)


def show_labelling(workspace: Workspace) -> bool:
    """Draw the labelling that the address names, in place of a dataset; returns whether there is one."""
    from tl_core.audit.pointing.labelling import load_labelling

    named = st.query_params.get(LABELLING)
    if not named:
        return False
    try:
        labelling = load_labelling(workspace, named)
    except DatasetNotFoundError:
        st.query_params.pop(LABELLING)
        return False
    st.header(plain(labelling.name), anchor=False)
    task = POINTERS.latest(labelling.id)
    if task is None or (task.state == "stopped"):  # left while its pictures were looked at
        POINTERS.start(labelling.name, lambda task: _pointer(labelling, task), labelling.id, alone=True)
        task = POINTERS.latest(labelling.id)
    if task is not None and task_progress(POINTERS, task, task.id, cancel=False):
        st.fragment(_labelling)(workspace, labelling.id, task.result)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Leave it for now",
            icon=":material/arrow_back:",
            key="labelling-leave",
            help="Nothing is lost: continue later under *New dataset*, *Label by pointing*.",
            on_click=_leave_for_now,
            args=(labelling.id,),
        )
        _delete_button(workspace, labelling, _delete)
    return True


def _leave_for_now(labelling_id: str) -> None:
    for task in POINTERS.running(labelling_id):
        POINTERS.cancel(task.id)
    _leave()


def _delete(workspace: Workspace, labelling_id: str) -> None:
    _leave_for_now(labelling_id)
    COLLECTIONS.delete(workspace, labelling_id)


def _delete_button(workspace: Workspace, labelling: Labelling, action: Callable[[Workspace, str], object]) -> None:
    """The one way to lose what was said; it asks first."""
    said = f" and {count(len(labelling.clicked), 'label')} that you gave them" if labelling.clicked else ""
    confirm(
        "Delete",
        ":material/delete:",
        f"**Delete {plain(labelling.name)}?** Its {count(len(labelling.collection.pictures), 'picture')}{said} will "
        "be gone from here.",
        "Delete it",
        action,
        workspace,
        labelling.id,
        key=f"delete-{labelling.id}",
    )


@error_boundary()
def _begin_form(workspace: Workspace, kind: ButtonType) -> None:
    from tl_core.audit.pointing.labelling import begin_labelling

    _unfinished(workspace)
    st.markdown(
        "Add unsorted pictures, and name the classes. You are asked about a few of them, sometimes about a dozen at "
        "once; after each click the app works out the others anew."
    )
    file_field(workspace, UNLABELLED, "", EVERYTHING, archives=True)
    collection = pile_pictures(workspace, UNLABELLED, "", "the pictures", form_collection(workspace, UNLABELLED))
    show_left_out(workspace, collection)
    classes = _class_names()
    name = name_field("made of the class names", key="labelling")
    enough = collection is not None and len(collection.pictures) >= MIN_PICTURES
    if not enough or len(classes) < 2:
        st.caption(f"At least {MIN_PICTURES} pictures and two classes. More classes can be added on the way.")
    # Not shut while a class is missing: the press itself brings along what is in the field.
    shut = not enough or arriving(collection)
    if st.button("Begin", key="labelling-begin", type=kind, disabled=shut) and collection:
        made = begin_labelling(workspace, collection.id, name or ", ".join(classes)[:80], classes)
        keep_in_tab(_NAMES, "")
        let_go(UNLABELLED)
        st.query_params[LABELLING] = made.id
        st.rerun()


def _class_names() -> list[str]:
    """Draw the field for the names of the classes; gives those that are in it, each once.

    A plain field, because a list that takes new names forgets what is being typed when the page moves below it, as it
    does while pictures arrive; of several lines, because Enter in a field of one line separates nothing.
    """
    st.session_state.setdefault(_NAMES, kept_in_tab(_NAMES) or "")
    typed = st.text_area("Classes to tell apart", key=_NAMES, placeholder="for example cat, dog", height=_TWO_LINES)
    st.caption("Their names with commas between them, or each on a line of its own.")
    keep_in_tab(_NAMES, typed)
    names = separate_names(typed)
    with st.container(horizontal=True, gap="small"):  # always there: what stands below keeps its place
        for name in names:
            st.badge(plain(name))
    return names


def separate_names(typed: str) -> list[str]:
    """The names between commas, semicolons and the ends of lines, each once."""
    return list(dict.fromkeys(filter(None, map(clean_text, re.split(r"[,;\n]", typed)))))


def _unfinished(workspace: Workspace) -> None:
    from tl_core.audit.pointing.labelling import list_labellings

    for found in list_labellings(workspace):
        with st.container(horizontal=True, vertical_alignment="center", key=f"unfinished-{found.id}"):
            done = f"{len(found.clicked):,} of {count(len(found.collection.pictures), 'picture')} labelled by hand"
            st.markdown(f"**{plain(found.name)}**: {done}", width="stretch")
            if st.button("Continue", key=f"go-on-{found.id}", icon=":material/play_arrow:"):
                st.query_params[LABELLING] = found.id
                st.rerun()
            _delete_button(workspace, found, COLLECTIONS.delete)


def _pointer(labelling: Labelling, task: TaskContext) -> Any:
    from tl_core.audit.pointing.standing import Pointer

    return Pointer(labelling, task)


def _leave() -> None:
    st.query_params.pop(LABELLING, None)


@error_boundary()
def _labelling(workspace: Workspace, labelling_id: str, pointer: Any) -> None:
    """The question on the left, what is known on the right; alone run again for every click."""
    from tl_core.audit.pointing.labelling import load_labelling

    key = f"board-{labelling_id}"
    labelling = load_labelling(workspace, labelling_id)
    labelling = _take(workspace, labelling, pointer, key)
    standing: Standing = pointer.standing(labelling)
    left, right = st.columns([5, 3], gap="large")
    with left:
        board(labelling, standing, key)
        with st.popover("Add a class", icon=":material/add:", key=f"add-class-{len(labelling.classes)}"):
            field = f"labelling-class-{len(labelling.classes)}"
            st.text_input("Name of the class", key=field, max_chars=64)
            st.button("Add", key="labelling-class-add", on_click=_add_class, args=(workspace, labelling_id, field))
    with right:
        _known(labelling, standing)
        _finish(workspace, labelling, standing.concluded)


def _take(workspace: Workspace, labelling: Labelling, pointer: Any, key: str) -> Labelling:
    """Do what was pressed, if it was pressed for the question that stands."""
    from tl_core.audit.pointing.labelling import point, take_back

    found = pressed(key)
    if found is None:
        return labelling
    kind, value = found
    if kind == "undo":
        asked_for = value.get("steps") == len(labelling.steps)
        return take_back(workspace, labelling.id) if asked_for else labelling
    standing = pointer.standing(labelling)
    if value.get("question") != question_id(labelling, standing):
        return labelling
    if kind == "skip":
        return point(workspace, labelling.id, standing.asked, None)
    chosen = value.get("pictures")
    pictures = [name for name in standing.asked if isinstance(chosen, list) and name in chosen]
    return point(workspace, labelling.id, pictures, str(value.get("label")))


@error_boundary()
def _add_class(workspace: Workspace, labelling_id: str, field: str) -> None:
    from tl_core.audit.pointing.labelling import add_class

    # From the field itself: a press right after typing comes before the page has been drawn with the name.
    add_class(workspace, labelling_id, st.session_state[field])


def _known(labelling: Labelling, standing: Standing) -> None:
    total = len(labelling.collection.pictures)
    by_hand = len(labelling.clicked)
    first, second = st.columns(2)
    first.metric("Labelled by hand", f"{by_hand:,} of {total:,}")
    second.metric("Clicks", f"{len(labelling.steps):,}")
    estimate = standing.estimate
    if estimate is None:
        st.metric("Likely right", "–")
        st.caption("An estimate comes after a dozen clicks.")
        return
    st.metric("Likely right, of all labels", percent(estimate.accuracy, 0))
    reach = next(((goal, clicks) for goal, clicks in estimate.clicks_left.items() if clicks), None)
    more = f" At most {count(reach[1], 'more click')} to {percent(reach[0], 0)}." if reach else ""
    st.caption(
        f"Between {percent(estimate.low, 0)} and {percent(estimate.high, 0)}, judged by your answers: each was "
        f"compared with what would have been concluded without it.{more}"
    )


def _finish(workspace: Workspace, labelling: Labelling, concluded: Mapping[str, Conclusion]) -> None:
    from tl_core.audit.pointing.labelling import finish_labelling

    st.subheader("Turn it into a dataset", anchor=False)
    least = st.select_slider(
        "Accept a guess when it is at least this sure",
        SURE_ENOUGH,
        value=0.8,
        format_func=lambda share: percent(share, 0),
        key=f"least-{labelling.id}",
    )
    skipped = labelling.skipped
    taken = sum(found.probability >= least and name not in skipped for name, found in concluded.items())
    by_hand = len(labelling.clicked)
    left_out = len(labelling.collection.pictures) - taken - by_hand
    st.caption(
        f"{count(by_hand, 'picture')} labelled by hand, {taken:,} concluded, {left_out:,} left out: they are listed "
        "with the reason. The dataset keeps apart which labels were concluded."
    )
    split = split_controls("labelling")
    labelled = set(labelling.clicked.values())
    ready = len(labelled) > 1
    if not ready:
        st.caption("Label pictures of at least two classes first.")
    elif missing := [name for name in labelling.classes if name not in labelled]:
        classes = ", ".join(f"**{plain(name)}**" for name in missing)
        st.warning(
            f"No picture of {classes} is labelled yet, so every one of them would go to another class.",
            icon=":material/warning:",
        )
        ready = st.checkbox("None of the pictures shows one", key=f"none-{labelling.id}-{'-'.join(missing)}")
    if st.button("Make the dataset", key="labelling-finish", type="primary", disabled=not ready):

        def work(task: TaskContext) -> Dataset:
            return finish_labelling(workspace, labelling, concluded, least=least, split=split, task=task)

        _leave()
        begin_import(workspace, labelling.name, work)
