"""One search as it happens: what it has tried, what leads and why, and what came of it."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

import streamlit as st

from tl_core.errors import SearchNotFoundError
from tl_core.figures.search import (
    describe_importance,
    describe_pareto,
    describe_progress,
    importance_figure,
    pareto_figure,
    progress_figure,
)
from tl_core.runs import run_exists
from tl_core.search.history import (
    COMPLETE,
    History,
    Trial,
    describe_effects,
    describe_importances,
    describe_left_out,
    effects,
    ensemble_of,
    ranked,
    read_history,
    row_of,
    titled,
    tried,
)
from tl_core.search.process import start_search
from tl_core.search.record import (
    GOALS,
    TRIALS_SHARE,
    Search,
    delete_search,
    find_search,
    prepare_to_go_on,
    request_stop,
    stop_requested,
)
from tl_core.storage.format import count, duration, percent, rough_duration
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.charts import INK, chart
from ui.components.downloads import download
from ui.components.markdown import plain
from ui.shell.errors import error_boundary
from ui.shell.navigation import EVALUATE, PREDICT, RUNS, SEARCH, TRAIN, page_button, page_link

REFRESH_SECONDS: Final = 2.0
MORE_MINUTES: Final = 5.0
_ROWS: Final = 100
_FIRST: Final = "First the backbone looks at every image once, which takes longest"
_THEN: Final = (
    "Then a model is tried every second or two, and here you see which leads, and why. You can leave this page; the "
    "search goes on."
)


def search_view(workspace: Workspace, search_id: str) -> None:
    """Show one search, and keep it up to date while it works.

    Raises:
        SearchNotFoundError: there is none.
        NotYoursError: it is somebody else's.
    """
    search = find_search(workspace, search_id)
    words, action = st.columns([3, 1], gap="medium", vertical_alignment="center")
    with words:
        st.header(f"The best model for {plain(search.name)}", anchor=False)
        st.caption(f"{GOALS.get(search.goal, search.goal)} · {_allowed(search)} in all")
    action.button(
        "Back to the form", icon=":material/arrow_back:", width="stretch", on_click=_leave, key="search-new"
    )
    st.fragment(_panel, run_every=REFRESH_SECONDS if search.active else None)(workspace, search_id, search.active)


def _allowed(search: Search) -> str:
    minutes = round(search.minutes)
    return count(minutes, "minute") if minutes and minutes == search.minutes else duration(60 * search.minutes)


@error_boundary()
def _panel(workspace: Workspace, search_id: str, was_active: bool) -> None:
    try:
        search = find_search(workspace, search_id)
    except SearchNotFoundError:
        if SEARCH not in st.query_params:  # deleted from in here
            st.rerun()
        st.info("This search was deleted.", icon=":material/delete:")
        return
    history = read_history(search)
    status, actions, figures, charts, table = (st.container() for _ in range(5))
    with status:
        _status(workspace, search, history)
    if is_mine(workspace, search.path):
        with actions.container(horizontal=True, vertical_alignment="center"):
            _actions(workspace, search, history)
    leader, quick_start = history.leader, history.quick_start
    if leader is not None and quick_start is not None:
        with figures:
            _figures(search, history, leader, quick_start)
        with charts:
            _charts(history, search)
        with table:
            _table(history, search)
    if was_active != search.active:  # ended, or gone on with from in here: the page refreshes itself, or no more
        st.rerun()


def _status(workspace: Workspace, search: Search, history: History) -> None:
    if search.active:
        stopping = stop_requested(search)
        tried = f" · {count(len(history.trials), 'model')} tried" if history.trials else ""
        images = f" · {history.done:,} of {history.total:,} images" if history.total > history.done else ""
        text = "Stopping; the best so far is trained" if stopping else history.text or "Getting ready"
        taken = history.elapsed_until(time.time())
        left = 60 * search.minutes - taken
        rest = f" · {rough_duration(left)} left" if left > 0 else " · the time is over, it ends soon"
        rest = "" if stopping else rest
        st.progress(min(1.0, max(0.0, taken / (60 * search.minutes))), text=f"{text}{images}{tried}{rest} …")
        if not history.trials:
            st.caption(f"{_FIRST}{_how_long(history)}. {_THEN}")
        if history.arriving:
            st.caption(f"{plain(history.arriving)}. Meanwhile what is here is tried.")
    elif search.status == "failed":
        st.error(search.error or "The search failed.", icon=":material/error:")
    elif search.status == "interrupted":
        st.warning(
            "This search was cut off: the program ended while it was at work. Nothing that was tried is lost.",
            icon=":material/power_off:",
        )
    elif search.outcome:
        _outcome(workspace, search, history)


def _how_long(history: History) -> str:
    left = history.seconds_of_pass
    if left is None:
        return ""
    return f": at {history.images_per_second:,.0f} images per second that is {rough_duration(left)} more"


def _outcome(workspace: Workspace, search: Search, history: History) -> None:
    better = bool(search.outcome.get("better"))
    with st.container(border=True):
        icon = ":material/trophy:" if better else ":material/balance:"
        st.markdown(f"{icon} {search.outcome['text']}")
        leader = next((trial for trial in history.trials if trial.number == search.outcome["trial"]), None)
        if better and leader is not None and history.quick_start is not None:
            st.markdown(describe_effects(effects(history.trials, history.quick_start, leader), leader))
        differ = len({trial.accuracy for trial in history.trials}) > 1
        if differ and (mattered := describe_importances(search.outcome.get("importances", {}))):
            st.caption(mattered)
        if (test := search.outcome.get("test")) is not None:
            st.caption(f"On the test images, which were looked at once, for this model alone: {percent(test)} right.")
        if search.run_id and run_exists(workspace, search.run_id):
            with st.container(horizontal=True):
                page_button(TRAIN, "See its training", key="search-train", run=search.run_id)
                page_button(EVALUATE, "Evaluate it", key="search-evaluate", primary=False, run=search.run_id)
                page_button(PREDICT, "Try it on a photo", key="search-predict", primary=False, run=search.run_id)
                page_button(RUNS, "Export it", key="search-runs", primary=False, run=search.run_id)
        else:
            page_link(RUNS, "Its run was deleted. See all runs")


def _actions(workspace: Workspace, search: Search, history: History) -> None:
    if search.active:
        st.button(
            "Stop",
            key="search-stop",
            icon=":material/stop:",
            disabled=stop_requested(search),
            help="No more is tried; the best so far is trained and kept.",
            on_click=_stop,
            args=(workspace, search.id),
        )
        return
    if not search.outcome:
        left = TRIALS_SHARE * 60 * search.minutes - history.elapsed
        st.button(
            f"Continue: {rough_duration(left)} left" if left > 0 else "Train the best so far",
            key="search-finish",
            icon=":material/resume:",
            type="primary",
            help="With all that it knows. When its time is over, the best is trained.",
            on_click=_go_on,
            args=(workspace, search.id, 0.0),
        )
    st.button(
        f"Search {MORE_MINUTES:g} more minutes",
        key="search-go-on",
        icon=":material/more_time:",
        help="With all that it knows; the model that it has found stays.",
        on_click=_go_on,
        args=(workspace, search.id, MORE_MINUTES),
    )
    if history.leader is not None:
        download("Report", partial(_report, search), f"search-{search.id}.html", key="search-report")
    st.button(
        "Delete",
        key="search-delete",
        icon=":material/delete:",
        help="The search and what it tried; the model that it has found stays.",
        on_click=_delete,
        args=(workspace, search.id),
    )


def _figures(search: Search, history: History, leader: Trial, quick_start: Trial) -> None:
    best, line, models = st.columns(3)
    reached = search.outcome.get("accuracy", leader.accuracy)
    gain = reached - quick_start.accuracy
    title = "Best" if search.outcome else "Best so far"
    best.metric(title, percent(reached), f"{100 * gain:+.1f} points" if gain else None)
    line.metric("Fast, the one to beat", percent(quick_start.accuracy))
    pruned = sum(trial.state != COMPLETE for trial in history.trials)
    models.metric(
        "Models tried",
        f"{len(history.trials):,}",
        help=f"A new head each, on frozen features; {pruned:,} of them were ended early.",
    )
    if not search.outcome and leader == quick_start:
        st.caption("*Fast* itself leads so far.")
    elif not search.outcome and gain <= 0:
        st.caption(
            "It is right as often as *Fast* so far. It leads because it is surer, or looks with a smaller network."
        )
    elif not search.outcome:
        words = describe_effects(effects(history.trials, quick_start, leader), leader)
        st.caption(f"Why it leads so far: {words} Part of that is luck, as it is the best of many.")


def _charts(history: History, search: Search) -> None:
    key = search.id
    found, together = tried(history.trials), ensemble_of(search.outcome, history.trials)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Accuracy against time**")
        words = describe_progress(found, together)
        chart(progress_figure(found, INK, together), words, f"search-progress-{key}", displayModeBar=False)
    with right:
        st.markdown("**Accuracy against cost**")
        words = describe_pareto(found, together)
        chart(pareto_figure(found, INK, together), words, f"search-pareto-{key}", displayModeBar=False)
    if importances := titled(search.outcome.get("importances", {})):
        st.markdown("**What mattered, over all trials**")
        words = describe_importance(importances)
        chart(importance_figure(importances, INK), words, f"search-importance-{key}", displayModeBar=False)


def _table(history: History, search: Search) -> None:
    leaders = history.leaders(search.outcome)
    rows = [row_of(trial, leaders) for trial in ranked(history.trials)[:_ROWS]]
    with st.expander(f"What was tried: {len(history.trials):,}", icon=":material/table:"):
        st.dataframe(rows, hide_index=True, width="stretch")
    for words in describe_left_out(history.left_out):
        st.caption(plain(words))


def _report(search: Search) -> bytes:
    from tl_core.search.report import write_report  # scikit-learn

    return write_report(search)


@error_boundary()
def _stop(workspace: Workspace, search_id: str) -> None:
    request_stop(workspace, search_id)


@error_boundary()
def _go_on(workspace: Workspace, search_id: str, minutes: float) -> None:
    start_search(prepare_to_go_on(workspace, search_id, minutes))


@error_boundary()
def _delete(workspace: Workspace, search_id: str) -> None:
    delete_search(workspace, search_id)
    _leave()


def _leave() -> None:
    st.query_params.pop(SEARCH, None)
