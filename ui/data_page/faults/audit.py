"""Looking for faults: labels that are likely wrong, look-alikes, shortcuts; each beside what mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import streamlit as st

from tl_core.data import Dataset, Finding, ImageRecord, health_report, load_dataset
from tl_core.data.editing import divide_again, move_images
from tl_core.machine.progress import TaskContext
from tl_core.storage.format import count, percent
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.task_progress import task_progress
from ui.components.thumbnail import dataset_thumbnail
from ui.data_page.edits import act, place_of_last, told_here
from ui.data_page.faults.label_case import show_case
from ui.data_page.faults.look_alikes import group_card
from ui.shell.errors import error_boundary
from ui.shell.scrolling import show_from_here
from ui.state.background_tasks import BackgroundTasks

if TYPE_CHECKING:
    from tl_core.audit.label_court import LabelSuspect
    from tl_core.audit.look_alikes import Pair
    from tl_core.audit.repair import Repair
    from tl_core.audit.report import Audit

AUDITS: Final = BackgroundTasks[Any](  # the result is the revision and its `Audit`
    "audit",
    at_a_time=1,
    remembered=20,
    unexpected="The audit ended because of an unexpected error. The log has the details.",
)
REPAIRS: Final = BackgroundTasks["Repair"](
    "comparison",
    at_a_time=1,
    remembered=20,
    unexpected="The comparison ended because of an unexpected error. The log has the details.",
)
SUSPECTS_PER_PAGE: Final = 12
PAIRS_PER_PAGE: Final = 6
LABELS: Final = "labels"
ALIKE: Final = "alike"
_KINDS: Final = {  # what is said beside one pair, and where several are counted
    "copy": ("exact copy", "exact copies"),
    "saved_again": ("nearly the same", "nearly the same"),
    "turned": ("turned or mirrored", "turned or mirrored"),
    "cropped": ("cropped", "cropped"),
    "changed": ("changed otherwise", "changed otherwise"),
}

Leak: TypeAlias = "tuple[Pair, tuple[ImageRecord, ImageRecord]]"
"""A pair that an audit found, and its images as they are now."""


def findings_of(dataset: Dataset) -> tuple[Finding, ...]:
    """The health report of a dataset; its word on the split is the audit's, once one has seen all these pictures."""
    report, leaks = health_report(dataset), _leaks_of(dataset)
    if leaks is None:
        return report
    if leaks:
        others = [found for found in report if not {"audit", "keep_together"} & {*found.mends}]  # by hashes alone
        return (_leak_finding(leaks), *others)
    closer = Finding("good", "No image is in more than one part of the split, not even turned, mirrored or cropped.")
    return tuple(closer if "audit" in finding.mends else finding for finding in report)


def _leaks_of(dataset: Dataset) -> Sequence[Leak] | None:
    """What an audit found that now stands on both sides of the split; None where none has seen all these pictures."""
    task = AUDITS.latest(dataset.id)
    if task is None or task.result is None:
        return None
    found: Audit = task.result[1]
    present = {record.pixels_sha256: record for record in dataset.images}
    if not present.keys() <= {record.pixels_sha256 for record in found.dataset.images}:
        return None
    pairs = [
        (pair, (present[pair.first.pixels_sha256], present[pair.second.pixels_sha256]))
        for pair in found.look_alikes
        if pair.first.pixels_sha256 in present and pair.second.pixels_sha256 in present
    ]
    return [(pair, both) for pair, both in pairs if (both[0].split == "train") != (both[1].split == "train")]


def _leak_finding(leaks: Sequence[Leak]) -> Finding:
    groups = tuple(both for _, both in leaks)
    pairs = count(len(groups), "pair of pictures that show the same", "pairs of pictures that show the same")
    return Finding(
        "warning",
        f"{pairs} ({_kinds([pair for pair, _ in leaks])}): one is in training, the other in validation or test. The "
        "results will look better than they are.",
        tuple(record for both in groups for record in both),
        ("divide_audited",),
        groups,
    )


def look_closer(dataset: Dataset) -> None:
    """Begin an audit from somewhere else on the page, and lead to where it is; for a callback."""
    _begin(dataset)
    asked = _asked_key(dataset)
    st.session_state[asked] = st.session_state.get(asked, 0) + 1


def divide_audited(workspace: Workspace, dataset: Dataset) -> Dataset:
    """Draw the split anew, what the last audit found alike on one side."""
    task = AUDITS.latest(dataset.id)
    found: Sequence[Pair] = task.result[1].look_alikes if task is not None and task.result is not None else ()
    return divide_again(workspace, dataset.id, alike=[(pair.first, pair.second) for pair in found])


def show_audit(workspace: Workspace, dataset: Dataset) -> None:
    """Draw the button that starts an audit, how it stands, and what it found that is not mended yet."""
    if asked := st.session_state.get(_asked_key(dataset)):
        show_from_here(str(asked), key=f"audit-top-{dataset.id}", block="start")
    st.header("Wrong labels and look-alikes", anchor=False)
    task = AUDITS.latest(dataset.id)
    if task is None or task.state == "stopped":
        st.caption(
            "Finds labels that are likely wrong, pictures that show the same thing, and shortcuts for a model."
        )
        _audit_button(dataset, "Look for faults")
    elif task_progress(AUDITS, task, task.id) and task.result is not None:
        audited, found = task.result
        if audited != dataset.revision:
            st.caption(f"Found in revision {audited}; what has changed since then is left out.")
            with st.container(horizontal=True):
                _audit_button(dataset, "Look again")
                _repair_button(dataset, audited)
            _repair(dataset, audited)
        _findings(workspace, dataset, found)
    elif task.ended:
        _audit_button(dataset, "Try again")


def _audit_button(dataset: Dataset, label: str) -> None:
    st.button(label, key=f"audit-{dataset.id}", icon=":material/troubleshoot:", on_click=_begin, args=(dataset,))


def _begin(dataset: Dataset) -> None:
    AUDITS.start(dataset.name, lambda context: _audit(dataset, context), dataset.id, alone=True)


def _asked_key(dataset: Dataset) -> str:
    return f"audit-asked-{dataset.id}"


def _repair_button(dataset: Dataset, audited: int) -> None:
    """The button that measures what the changes since the audit have gained."""
    subject = _repair_subject(dataset, audited)

    def begin() -> None:
        REPAIRS.start(dataset.name, lambda context: _measure(dataset, audited, context), subject, alone=True)

    st.button(
        "Did it help?",
        key=f"repair-{dataset.id}",
        icon=":material/trending_up:",
        help="Compares models that learn from the old labels with models that learn from the new ones.",
        on_click=begin,
    )


def _repair(dataset: Dataset, audited: int) -> None:
    task = REPAIRS.latest(_repair_subject(dataset, audited))
    if task is not None and task_progress(REPAIRS, task, task.id) and task.result is not None:
        st.markdown(f":material/trending_up: {plain(task.result.text)}")


def _repair_subject(dataset: Dataset, audited: int) -> str:
    return f"{dataset.id} {audited} {dataset.revision}"


def _measure(dataset: Dataset, audited: int, task: TaskContext) -> Repair:
    from tl_core.audit.repair import measure_repair  # imports TensorFlow

    return measure_repair(load_dataset(dataset.path, audited), dataset, task)


def _audit(dataset: Dataset, task: TaskContext) -> tuple[int, Audit]:
    from tl_core.audit.report import audit_dataset  # imports TensorFlow

    return dataset.revision, audit_dataset(dataset, task)


@st.fragment
@error_boundary()
def _findings(workspace: Workspace, dataset: Dataset, found: Audit) -> None:
    if load_dataset(dataset.path).revision != dataset.revision:
        st.rerun()  # a change from in here was made: the whole page has to tell of it
    kept: set[ImageRecord] = st.session_state.setdefault(f"audit-kept-{dataset.id}", set())
    present = set(dataset.images)
    suspects = [suspect for suspect in found.label_suspects if suspect.record in present - kept]
    pairs = [pair for pair in found.look_alikes if pair.first in present - kept and pair.second in present]
    told = place_of_last(dataset)  # the card that was pressed keeps its place, with what was done
    for shortcut in found.shortcuts:
        st.markdown(f":orange[:material/warning:] {plain(shortcut.text)}")
    titles = {  # short: on a phone they stand side by side
        LABELS: count(len(suspects), "doubtful label"),
        ALIKE: count(len(pairs), "pair alike", "pairs alike"),
    }
    if not suspects and not pairs:
        st.markdown(":green[:material/check_circle:] No label is doubtful, and no two pictures show the same thing.")
        told_here(workspace, dataset, told)
        return
    tab = st.segmented_control(
        "Show",
        list(titles),
        default=LABELS if suspects else ALIKE,
        format_func=titles.__getitem__,
        required=True,
        key=f"audit-tab-{dataset.id}",
    )
    mine = is_mine(workspace, dataset.path)
    if tab == LABELS:
        st.caption(
            f"Judged by models that had not seen the picture. They agree with {percent(found.agreement)} of all."
        )
        unsure: list[ImageRecord] = st.session_state.setdefault(f"audit-unsure-{dataset.id}", [])
        turn = {record: place for place, record in enumerate(unsure, 1)}
        cases = [suspect for suspect in found.label_suspects if suspect in suspects or _key(dataset, suspect) == told]
        for found_ones in (suspects, cases):
            found_ones.sort(key=lambda suspect: turn.get(suspect.record, 0))
        if mine and suspects:
            show_case(workspace, dataset, suspects[0], found.witnesses, kept, unsure)
        page = _page(len(cases), SUSPECTS_PER_PAGE, f"audit-suspects-{dataset.id}")
        with st.grid("auto", min_column_width=170, gap="small"):
            for suspect in cases[page]:
                if suspect in suspects:
                    _suspect(workspace, dataset, suspect, kept, mine)
                else:
                    _told_card(workspace, dataset, told)
    else:
        how = f"{_kinds(pairs)}. " if pairs else ""
        st.caption(
            f"{how}Each picture was also turned, mirrored and cropped before it was compared; *Health* above "
            "counts only exact copies and pictures that are nearly the same as they lie, except across the split."
        )
        if mine and any(pair.leaks for pair in pairs):
            _divide_button(workspace, dataset)
        both = [pair for pair in found.look_alikes if pair in pairs or _pair_key(dataset, pair) == told]
        both.sort(key=_torn_apart)
        page = _page(len(both), PAIRS_PER_PAGE, f"audit-pairs-{dataset.id}")
        with st.grid("auto", min_column_width=260, gap="small"):
            for pair in both[page]:
                if pair in pairs:
                    _pair(workspace, dataset, pair, kept, mine)
                else:
                    _told_card(workspace, dataset, told)


def _divide_button(workspace: Workspace, dataset: Dataset) -> None:
    """One press for all pairs of which one is to train on and the other to measure with."""
    key = f"audit-divide-{dataset.id}"
    st.button(
        "Split again, keeping look-alikes together",
        key=key,
        icon=":material/call_split:",
        help="Draws a new split in which no pair below is torn apart.",
        on_click=act,
        args=(lambda: divide_audited(workspace, dataset),),
        kwargs={"press": (key, dataset.revision)},
    )


def _torn_apart(pair: Pair) -> bool:
    """Sorts first what the split has torn apart, as that makes results look better than they are."""
    return not pair.leaks


def _kinds(pairs: Sequence[Pair]) -> str:
    kinds = Counter(pair.kind for pair in pairs)
    return ", ".join(count(kinds[kind], *words) for kind, words in _KINDS.items() if kinds[kind])


def _told_card(workspace: Workspace, dataset: Dataset, place: str) -> None:
    with st.container(border=True, height="stretch", vertical_alignment="center"):
        told_here(workspace, dataset, place)


def _page(total: int, length: int, key: str) -> slice:
    pages = -(-total // length)
    page = st.pagination(pages, key=f"{key}-{pages}") if pages > 1 else 1
    return slice((page - 1) * length, page * length)


def _suspect(
    workspace: Workspace, dataset: Dataset, suspect: LabelSuspect, kept: set[ImageRecord], mine: bool
) -> None:
    record, key = suspect.record, _key(dataset, suspect)
    with st.container(border=True, gap="xsmall", height="stretch"):
        st.image(
            dataset_thumbnail(dataset.path_of(record)),
            width="stretch",
            alt=f"{record.source_name}, labelled {suspect.label}, looks like {suspect.suggested}",
        )
        st.markdown(f"**{plain(suspect.label)}**, looks like **{plain(suspect.suggested)}**")
        if not mine:
            return
        st.space("stretch")
        st.button(
            f"Move to {plain(suspect.suggested)}",
            key=f"{key}-move",
            icon=":material/drive_file_move:",
            width="stretch",
            on_click=act,
            args=(lambda: move_images(workspace, dataset.id, [record], to_class=suspect.suggested),),
            kwargs={"press": (key, dataset.revision), "place": key},
        )
        st.button("Keep", key=f"{key}-keep", width="stretch", on_click=kept.add, args=(record,))


def _key(dataset: Dataset, suspect: LabelSuspect) -> str:
    return f"suspect-{dataset.id}-{suspect.record.file}-{suspect.record.source_name}"


def _pair_key(dataset: Dataset, pair: Pair) -> str:
    return f"pair-{dataset.id}-{pair.first.file}-{pair.second.file}-{pair.second.source_name}"


def _pair(workspace: Workspace, dataset: Dataset, pair: Pair, kept: set[ImageRecord], mine: bool) -> None:
    key = _pair_key(dataset, pair)
    group_card(
        workspace,
        dataset,
        (pair.first, pair.second),
        key,
        mine=mine,
        note=_KINDS[pair.kind][0],
        place=key,
        keep=lambda: kept.add(pair.first),
    )
