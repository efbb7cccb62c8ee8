"""The line at the top of every page: the current dataset, the current model, and the training at work."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Final

import streamlit as st

from tl_core.errors import SearchNotFoundError, TransferLearningError
from tl_core.planning.time_left import time_left
from tl_core.runs import RunProgress, RunRecord, find_run
from tl_core.search.history import read_history
from tl_core.search.record import Search, find_search, list_searches
from tl_core.storage.format import count, short_duration
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.pickers import dataset_labels
from ui.components.run.run_panel import planned_of
from ui.components.run_format import format_accuracy, short_labels
from ui.frame.menu import training_at_work
from ui.shell.errors import error_boundary
from ui.shell.navigation import RUN, RUNS, SEARCH, TRAIN, page_link
from ui.state.current import Current, choose_dataset, choose_model
from ui.state.run_feed import following, refresh_seconds

REFRESH_SECONDS: Final = 2.0  # while something is in training
LOOK_SECONDS: Final = 10.0  # else: another tab may start one
DATASET_KEY: Final = "frame-dataset"
MODEL_KEY: Final = "frame-model"
DATASET_ROOM: Final = 18  # characters that are seen of a dataset, also on a phone ...
MODEL_ROOM: Final = 22  # ... and of a model ...
LEAST_HEAD: Final = 4  # ... and at least of their beginning, where the middle is left out
NO_DATASET: Final = ""  # in the list of datasets, while that of the current model is gone
NO_MODEL: Final = ""  # in the list of models, while none has learned from the current dataset
_WATCHED: Final = "frame-watched"  # in the session: the runs that were active at the last look
_SEARCHING: Final = "frame-searching"  # in the session: the search that was at work at the last look
_NEWS: Final = "frame-news"  # the run or search that has ended since a page was opened, until another one begins
SEARCH_ICON: Final = ":material/travel_explore:"
_ENDS: Final[Mapping[str, tuple[str, str]]] = {
    "done": ("is ready", ":material/check_circle:"),
    "stopped": ("was stopped", ":material/stop_circle:"),
    "failed": ("has failed", ":material/error:"),
    "interrupted": ("was cut off", ":material/power_off:"),
}


def draw_strip(workspace: Workspace, current: Current, tab: str) -> None:
    """Draw the line.

    Args:
        workspace: of the visitor.
        current: what is chosen, and from what.
        tab: the title of the browser's tab, without news.
    """
    if st.session_state.get(_NEWS) in (st.query_params.get(RUN), st.query_params.get(SEARCH)):
        st.session_state.pop(_NEWS, None)  # it has been looked at
    _training_place(workspace, current, tab)
    with st.container(key="frame-strip", horizontal=True, vertical_alignment="center", gap="small", width="content"):
        if current.asks_a_file:
            _file_that_answers(current)
            return
        if current.datasets:
            _dataset_list(current)
        if current.models:
            _model_list(current)


def _file_that_answers(current: Current) -> None:
    """In place of the lists, none of which has anything to do with the answers of a model from a file."""
    words = f"**{plain(current.file.name)}**" if current.file else "none yet"
    st.markdown(f":material/upload_file: Model from a file: {words}", width="content")


def cut_names(current: Current) -> dict[str, str]:
    """Whole names of the entries that the lists show shortened, by what they show."""
    whole = {**dataset_labels(current.datasets), **short_labels(current.models)}
    shown = {**_dataset_labels(current), **_model_labels(current)}
    return {shown[name]: text for name, text in whole.items() if shown[name] != text}


def _dataset_labels(current: Current) -> dict[str, str]:
    return telling_apart(dataset_labels(current.datasets), DATASET_ROOM)


def _model_labels(current: Current) -> dict[str, str]:
    return telling_apart(short_labels(current.models), MODEL_ROOM)


def telling_apart(labels: Mapping[str, str], room: int) -> dict[str, str]:
    """The texts of a narrow list, which the browser cuts at their end; without the middle where several begin alike.

    Args:
        labels: the whole texts, all different.
        room: characters that are seen of each.

    Returns:
        Texts that are all different, most of them whole.
    """
    shown = dict(labels)
    for _ in labels:
        seen: dict[str, list[str]] = {}
        for name, text in shown.items():
            seen.setdefault(text[:room], []).append(name)
        alike = [names for names in seen.values() if len(names) > 1]
        if not alike:
            break
        for names in alike:
            letters = enumerate(zip(*(labels[name] for name in names), strict=False))
            shortest = min(len(labels[name]) for name in names)
            shared = next((place for place, found in letters if len(set(found)) > 1), shortest)
            word = min(labels[name].rfind(" ", 0, shared + 1) + 1 for name in names)
            shown |= {name: _without_middle(labels[name], word, shared, room) for name in names}
    return shown if len(set(shown.values())) == len(labels) else dict(labels)


def _without_middle(text: str, word: int, differs: int, room: int) -> str:
    """The beginning, and the text from the word on in which it differs; where that is far, from a bit before.

    Args:
        text: the whole.
        word: where the first word that differs begins.
        differs: where it differs.
        room: characters that are seen.
    """
    if len(text) <= room:
        return text
    tail = text[word if differs - word < room // 2 else differs - LEAST_HEAD :].lstrip(" ·")
    head = text[: max(LEAST_HEAD, room - 1 - len(tail), room // 2 - 1)].rstrip(" ,")
    return f"{head}…{tail}"


def _dataset_list(current: Current) -> None:
    labels = _dataset_labels(current)
    if current.choice.dataset is None:
        labels = {NO_DATASET: "Its images were deleted", **labels}
    st.session_state[DATASET_KEY] = current.choice.dataset or NO_DATASET  # each time: the address is the truth

    def chosen() -> None:
        if dataset := st.session_state[DATASET_KEY]:
            choose_dataset(dataset)

    st.selectbox(
        "Current dataset",
        list(labels),
        format_func=labels.__getitem__,
        key=DATASET_KEY,
        on_change=chosen,
        label_visibility="collapsed",
        width=180,
        help="The images that all pages work with.",
    )


def _model_list(current: Current) -> None:
    runs = {run.id: run for run in current.models}
    labels = {NO_MODEL: "No model for these images yet", **_model_labels(current)}

    def chosen() -> None:
        if run := runs.get(st.session_state[MODEL_KEY]):
            choose_model(run)

    st.session_state[MODEL_KEY] = current.choice.run or NO_MODEL
    st.selectbox(
        "Current model",
        [*([] if current.choice.run else [NO_MODEL]), *runs],
        format_func=labels.__getitem__,
        key=MODEL_KEY,
        on_change=chosen,
        label_visibility="collapsed",
        width=300,
        help="The model that Evaluate and Predict ask. Those of the current dataset come first.",
    )


def _training_place(workspace: Workspace, current: Current, tab: str) -> None:
    active = any(run.active for run in current.runs) or search_at_work(workspace) is not None
    with st.container(key="frame-training", width="content"):
        st.fragment(_training, run_every=refresh_seconds(REFRESH_SECONDS) if active else LOOK_SECONDS)(workspace, tab)


@error_boundary()
def _training(workspace: Workspace, tab: str) -> None:
    at_work = training_at_work(workspace)
    for run in _ended_since(workspace, at_work):
        _announce(run, tab)
    searching = search_at_work(workspace)
    if (ended := _search_ended_since(workspace, searching)) is not None:
        _announce_search(ended, tab)
    if at_work is not None:
        with following(at_work) as feed:
            planned = planned_of(at_work.id, str(at_work.config), at_work, workspace)
            words = format_training(at_work, feed.progress, planned, time.time())
            page_link(TRAIN, words, run=at_work.id)
    elif searching is not None:
        tried = len(read_history(searching).trials)
        stands = f"{count(tried, 'model')} tried" if tried else "getting ready"
        words = f"**{plain(searching.name)}** search · {stands}"
        page_link(TRAIN, words, search=searching.id, icon=SEARCH_ICON)
    elif news := st.session_state.get(_NEWS):
        _show_news(workspace, news)


def search_at_work(workspace: Workspace) -> Search | None:
    """The person's search for the best model that works, the oldest one; None where there is none."""
    found = [search for search in list_searches(workspace) if search.active and is_mine(workspace, search.path)]
    return found[-1] if found else None


def format_training(run: RunRecord, progress: RunProgress, planned: Mapping[str, float], now: float) -> str:
    """Where a whole training stands, as Markdown: ``**Photos** epoch 12/60 · 20 s left``.

    Args:
        run: at work, or next.
        progress: where it stands.
        planned: seconds of its phases, by name.
        now: the current time in Unix seconds.
    """
    name = f"**{plain(run.dataset_name)}**"
    if run.status == "queued" or progress.finished:  # one that goes on still has the end of its last training
        return f"{name} starting"
    left = time_left(run.config, progress, planned, now)
    stands = f"epoch {left.epoch}/{left.epochs}" if left.epoch and left.epochs else "getting ready"
    remains = f" · {short_duration(left.seconds)} left" if left.seconds is not None and left.seconds > 1 else ""
    return f"{name} {stands}{remains}"


def _ended_since(workspace: Workspace, at_work: RunRecord | None) -> list[RunRecord]:
    """The person's own runs that were active at the last look and have ended since."""
    before: set[str] = st.session_state.setdefault(_WATCHED, set())
    ended = []
    for run_id in before - {at_work.id if at_work else ""}:
        try:
            run = find_run(workspace, run_id)
        except TransferLearningError:  # discarded
            before.discard(run_id)
            continue
        if not run.active:
            before.discard(run_id)
            ended.append(run)
    if at_work is not None and is_mine(workspace, at_work.path):
        before.add(at_work.id)
    return ended


def _search_ended_since(workspace: Workspace, at_work: Search | None) -> Search | None:
    """The person's search that was at work at the last look and has ended since."""
    before = st.session_state.get(_SEARCHING)
    st.session_state[_SEARCHING] = at_work.id if at_work else None
    if before is None or (at_work and at_work.id == before):
        return None
    try:
        search = find_search(workspace, before)
    except TransferLearningError:  # deleted
        return None
    return None if search.active else search  # an older one that was gone on with may stand before it


def _announce_search(search: Search, tab: str) -> None:
    words, icon = _ENDS[search.status]
    st.session_state[_NEWS] = search.id
    st.toast(f"The search **{plain(search.name)}** {words}.", icon=icon, duration="long")
    st.set_page_config(page_title=f"● {search.name} {words} · {tab}")


def _announce(run: RunRecord, tab: str) -> None:
    """Say on whatever page is open that a run has ended, also in the title of the tab."""
    words, icon = _ENDS[run.status]
    accuracy = format_accuracy(run) if run.status in ("done", "stopped") else ""
    st.session_state[_NEWS] = run.id
    st.toast(f"**{plain(run.name)}** {words}" + (f": {accuracy}." if accuracy else "."), icon=icon, duration="long")
    st.set_page_config(page_title=f"● {run.name} {words} · {tab}")


def _show_news(workspace: Workspace, news: str) -> None:
    with contextlib.suppress(SearchNotFoundError):
        search = find_search(workspace, news)
        if not search.active:
            words = f"**{plain(search.name)}** search {_ENDS[search.status][0]}"
            page_link(TRAIN, words, search=search.id, icon=SEARCH_ICON)
        return
    try:
        run = find_run(workspace, news)
    except TransferLearningError:
        return
    if run.active:
        return
    words, _ = _ENDS[run.status]
    page_link(RUNS if run.status == "failed" else TRAIN, f"**{plain(run.name)}** {words}", run=run.id)
