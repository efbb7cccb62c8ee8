"""One run as it happens: where it stands, its curves and the advice on them, and the ways to end it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

import streamlit as st

from tl_core.advice.curve_rules import curves_of, remark_on
from tl_core.config.phases import PHASE_TITLES
from tl_core.errors import RunNotFoundError
from tl_core.figures.history import History
from tl_core.jobs import Job, manager
from tl_core.machine.hardware import current_load
from tl_core.runs import RunProgress, RunRecord, find_run
from tl_core.runs.heartbeat import GIVEN_UP_AFTER, silent_seconds
from tl_core.runs.progress import planned_end
from tl_core.storage.format import MISSING, count, duration, number, percent, seconds_between
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.confirm import confirm
from ui.components.live_chart import live_chart
from ui.components.markdown import plain
from ui.components.watched_images import watched_images_charts
from ui.shell.errors import error_boundary
from ui.shell.navigation import EVALUATE, PREDICT, TRAIN, go_to, page_button, page_link
from ui.state.run_feed import Feed, following
from ui.state.training_draft import draft

CUT_OFF: Final = "This run was cut off: the program was ended while it worked."
REFRESH_SECONDS: Final = 1.0
MORE_EPOCHS: Final = 5
_FIGURES: Final[tuple[tuple[str, str, Callable[[float | None], str], str], ...]] = (
    ("Validation accuracy", "val_accuracy", percent, "Right answers among images it does not learn from."),
    ("Validation loss", "val_loss", number, "How far the probabilities are from the truth; lower is better."),
    ("Training accuracy", "accuracy", percent, "Right answers among the images it learns from."),
)


def run_panel(workspace: Workspace, run_id: str, *, key: str = "run") -> None:
    """Show one run and keep it up to date while it waits or works.

    Raises:
        RunNotFoundError: there is no such run.
    """
    run = find_run(workspace, run_id)
    # The same fragment whether or not it refreshes itself: so the chart stays in place when the run ends.
    changes = may_change(workspace, run)
    st.fragment(_panel, run_every=REFRESH_SECONDS if changes else None)(workspace, run_id, changes, key)


def may_change(workspace: Workspace, run: RunRecord) -> bool:
    """Whether more will happen to a run; one that has been cancelled ends first, and is thrown away after that."""
    return run.active or manager(workspace).job(run.id) is not None


@error_boundary()
def _panel(workspace: Workspace, run_id: str, changed: bool, key: str) -> None:
    try:
        run = find_run(workspace, run_id)
    except RunNotFoundError:
        st.info("This run was thrown away.", icon=":material/delete:")
        page_link(TRAIN, "Start another training")
        return
    with following(run) as feed:
        _draw(workspace, run, feed, key)
    # Only after the drawn elements have handled the click that may have led here.
    if changed and not may_change(workspace, run):
        st.rerun()  # the whole page: the refreshing ends, and what else the page shows of the run is new


def _draw(workspace: Workspace, run: RunRecord, feed: Feed, key: str) -> None:
    # Always the same places in the same order, so that nothing below moves when something above changes.
    status, actions, figures, chart, watched, advice, footer = (st.container() for _ in range(7))
    with status:
        _active_status(workspace, run, feed.progress) if run.active else _finished_status(run, feed.progress)
    with actions.container(horizontal=True, vertical_alignment="center"):
        mine = is_mine(workspace, run.path)
        if not run.active:
            _finished_actions(workspace, run, key, mine=mine)
        elif mine:
            _active_actions(workspace, run, key)
    with figures:
        _figures(run, feed)
    with chart:
        live_chart(feed.history, key=f"{key}-chart-{run.id}", title=run.name)
    with watched:
        watched_images_charts(run, feed.history, key=f"{key}-watched-{run.id}")
    with advice:
        _curve_advice(run, feed.history, key)
    with footer:
        _footer(run, feed.progress)


def _active_status(workspace: Workspace, run: RunRecord, progress: RunProgress) -> None:
    job = manager(workspace).job(run.id)
    silent = silent_seconds(run, time.time())
    if silent is None:
        st.markdown(f"**{_format_phase(run, job, progress)}**")
    else:
        st.warning(_stalled(job, silent), icon=":material/hourglass_disabled:")
    st.progress(progress.fraction, text=_format_place(run, progress))


def _format_phase(run: RunRecord, job: Job | None, progress: RunProgress) -> str:
    if job and job.stopping:
        return "Stopping: the step at work is finished, then the best epoch so far is kept."
    if run.status == "queued" and job and job.position > 0:
        ahead = count(job.position, "training", "trainings")
        return f"Waiting in the queue: {ahead} before this one."
    if run.status == "queued":
        return "Starting up: the first training after the program was started takes some seconds longer."
    return progress.text or PHASE_TITLES.get(progress.phase or "", "Getting ready …").capitalize()


def _stalled(job: Job | None, silent: float) -> str:
    said = f"**Stalled: no sign of life for {duration(round(silent))}.** Perhaps a disk or a driver does not answer. "
    if job is None:
        return said + "It may go on by itself; else end it where it was started."
    then = f"If it stays so for {duration(GIVEN_UP_AFTER)}, it is ended; it can go on from its last saved epoch."
    if job.stopping:
        return said + f"It cannot hear that it is to stop before it goes on. {then}"
    return said + f"It may go on by itself. If you do not want to wait, press Stop or Cancel. {then}"


def _format_place(run: RunRecord, progress: RunProgress) -> str:
    now = time.time()
    parts = []
    if progress.images_total:
        parts.append(f"{progress.images:,} of {progress.images_total:,}")
    elif progress.epoch and progress.epochs:
        parts.append(f"Epoch {progress.epoch} of {progress.epochs}")
        parts.append(f"batch {progress.batch} of {progress.batches}")
    if progress.images_per_second:
        parts.append(f"{progress.images_per_second:,.0f} images/s")
    waited = seconds_between(run.created, datetime.now(UTC).isoformat()) if run.status == "queued" else None
    parts.append(f"{duration(waited if waited is not None else progress.elapsed_seconds(now))} so far")
    remaining = progress.remaining_seconds(now)
    if remaining is not None and remaining > 1:
        parts.append(f"about {duration(round(remaining))} left of this phase")
    return " · ".join(parts)


def _finished_status(run: RunRecord, progress: RunProgress) -> None:
    text = run.error or progress.text or "This run has ended."
    if run.status == "failed":
        st.error(text, icon=":material/error:")
    elif run.status == "interrupted":
        st.warning(run.interruption or CUT_OFF, icon=":material/power_off:")
    elif run.has_model:
        st.success(text, icon=":material/check_circle:")
    else:
        st.info(text, icon=":material/info:")


def _active_actions(workspace: Workspace, run: RunRecord, key: str) -> None:
    jobs = manager(workspace)
    job = jobs.job(run.id)
    stopping = job is None or job.stopping
    st.button(
        "Stop and keep the best epoch",
        key=f"{key}-stop",
        type="primary",
        icon=":material/stop_circle:",
        disabled=stopping,
        on_click=_stop,
        args=(workspace, run.id),
        help="Ends the training now. The model of the best epoch so far stays and can be used.",
    )
    confirm(
        "Cancel",
        ":material/delete:",
        "**Throw this run away?** Its curves and its model will be gone.",
        "Throw it away",
        jobs.cancel,
        run.id,
        key=f"{key}-cancel",
        disabled=stopping,
    )


@error_boundary()
def _stop(workspace: Workspace, run_id: str) -> None:
    manager(workspace).stop(run_id)


def _finished_actions(workspace: Workspace, run: RunRecord, key: str, *, mine: bool) -> None:
    jobs = manager(workspace)
    cut_off = run.resumable and run.status != "stopped"
    if cut_off and mine:
        _train_on("Resume from the last epoch", lambda: jobs.resume(run.id), f"{key}-resume", primary=True)
    if run.has_model:
        page_button(PREDICT, "Try it on a photo", key=f"{key}-predict", primary=not cut_off, run=run.id)
        page_link(EVALUATE, "See how good it is, class by class", run=run.id)
    elif run.status != "interrupted":
        page_link(TRAIN, "Start another training")
    if run.has_model and run.can_go_on and mine:
        if run.resumable:
            _train_on(
                f"Go on to epoch {planned_end(run)}",
                lambda: jobs.resume(run.id),
                f"{key}-resume",
                "Trains the rest of what was planned, from the last epoch on.",
            )
        _train_on(
            f"Train {MORE_EPOCHS} more epochs",
            lambda: jobs.extend(run.id, MORE_EPOCHS),
            f"{key}-more",
            "Goes on from its last epoch. If that makes it no better, the model stays as it is.",
            icon=":material/forward_media:",
        )


def _train_on(
    label: str,
    start: Callable[[], None],
    key: str,
    help: str | None = None,
    *,
    icon: str = ":material/resume:",
    primary: bool = False,
) -> None:
    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    if st.button(label, key=key, icon=icon, type=kind, help=help):
        start()  # refused in a sentence where the workspace is full
        st.rerun()  # the whole page, as the panel refreshes itself from now on


def _figures(run: RunRecord, feed: Feed) -> None:
    progress, history = feed.progress, feed.history
    if run.active:
        shown, best = progress.current, progress.best or {}
        title = f"Best so far (epoch {best['epoch']:.0f})" if best else "Best so far"
        kept = percent(best.get("val_accuracy"))
    else:
        title, epoch = "Kept epoch", history.best_epoch
        shown = history.epochs.get(epoch, {}) if epoch is not None else {}
        if run.best is not None and run.best.epoch == epoch:  # as measured at the end, with the model that is stored
            shown = {**shown, "val_accuracy": run.best.val_accuracy, "val_loss": run.best.val_loss}
        kept = f"{epoch} of {len(history.epochs)}" if shown else MISSING
    figures = [(label, form(shown.get(name)), help) for label, name, form, help in _FIGURES]
    help = "The epoch with the lowest validation loss is the one that is kept."
    figures.insert(1 if run.active else 0, (title, kept, help))
    with st.grid(4, min_column_width=150):
        for label, value, help in figures:
            st.metric(label, value, help=help)


def _footer(run: RunRecord, progress: RunProgress) -> None:
    if run.active:
        st.caption(f"This machine now: {_machine_load()}")
    else:
        took = duration(progress.elapsed_seconds(time.time()))
        st.caption(f"Took {took}" + (f" on {run.device}." if run.device else "."))
    if progress.notes:
        with st.expander("Technical notes", icon=":material/info:"):
            st.markdown("\n".join(f"- {plain(note)}" for note in dict.fromkeys(progress.notes)))


def _curve_advice(run: RunRecord, history: History, key: str) -> None:
    """Draw the most urgent remark; nothing where there is nothing to say."""
    remark = remark_on(curves_of(run, history))
    if remark is None:
        return
    with st.container(border=True):
        words, action = st.columns([3, 1], gap="medium", vertical_alignment="center")
        words.markdown(f":material/school: {plain(remark.text)}")
        if remark.config is not None and action.button(
            remark.action or "Try it",
            key=f"{key}-advice",
            width="stretch",
            help="Opens the training form with the settings of this run and this one change. Nothing starts yet.",
        ):
            draft().fill(remark.config, run.dataset_id)  # the form says so if these images are gone
            go_to(TRAIN)


@st.cache_data(ttl=0.9, show_spinner=False)
def _machine_load() -> str:
    """Such as ``CPU 84 % · memory 6.1 of 16.0 GB``; measured once for all the browsers that watch."""
    load = current_load()
    used, total = load.memory_used_bytes / 1e9, load.memory_total_bytes / 1e9
    parts = [f"CPU {load.cpu_percent:.0f} %", f"memory {used:.1f} of {total:.1f} GB"]
    if load.gpu_percent is not None:
        memory = f", {load.gpu_memory_used_mb / 1024:.1f} GB used" if load.gpu_memory_used_mb is not None else ""
        parts.append(f"GPU {load.gpu_percent:.0f} %{memory}")
    return " · ".join(parts)
