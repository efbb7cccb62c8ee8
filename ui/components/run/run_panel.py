"""One run as it happens: where it stands, its curves and the advice on them, and the ways to end it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal

import streamlit as st

from tl_core.advice.curve_rules import curves_of, remark_on
from tl_core.backbones.registry import BACKBONES, get_backbone
from tl_core.backbones.weights import weights_status
from tl_core.config import TrainingConfig
from tl_core.config.presets import DEFAULT_PRESET, PRESETS
from tl_core.errors import RunNotFoundError, TransferLearningError
from tl_core.evaluation.cross_validated import kept_cross_validation
from tl_core.evaluation.headline import FEW_IMAGES, Headline, headline
from tl_core.figures.history import History
from tl_core.jobs import Job, manager
from tl_core.machine.hardware import current_load
from tl_core.planning.time_left import TimeLeft, planned_seconds, time_left
from tl_core.runs import RunProgress, RunRecord, dataset_of, find_run
from tl_core.runs.heartbeat import GIVEN_UP_AFTER, silent_seconds
from tl_core.runs.progress import planned_end
from tl_core.runs.record import CHECKPOINT_FILE
from tl_core.storage.format import MISSING, count, duration, number, percent, rough_duration
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.confirm import confirm
from ui.components.live_chart import live_chart
from ui.components.markdown import plain
from ui.components.run.cross_validation import offer_cross_validation
from ui.components.run_format import format_load, node_line
from ui.components.watched_images import watched_images_charts
from ui.shell.errors import error_boundary
from ui.shell.navigation import DATA, EVALUATE, FIND, PREDICT, TRAIN, go_to, page_button, page_link
from ui.state.run_feed import Feed, following, refresh_seconds
from ui.state.training_draft import draft

CUT_OFF: Final = "This run was cut off: the program ended while it was at work."
NEVER_BEGUN: Final = "This run was cut off before its first epoch. There is nothing to keep; start it again."
IMAGES_GONE: Final = "Its images have been deleted since, so it cannot go on. Add them again, then train again."
STARTING: Final = "Starting up …"
REFRESH_SECONDS: Final = 1.0
MORE_EPOCHS: Final = 5
_FIGURES: Final[tuple[tuple[str, str, Callable[[float | None], str], str], ...]] = (
    ("Validation accuracy", "val_accuracy", percent, "Right answers among images it does not learn from."),
    ("Validation loss", "val_loss", number, "How far the probabilities are from the truth; lower is better."),
    ("Training accuracy", "accuracy", percent, "Right answers among the images it learns from."),
)


def run_panel(workspace: Workspace, run_id: str, *, key: str = "run", named: bool = True) -> None:
    """Show one run and keep it up to date while it waits or works.

    Args:
        workspace: that holds the run.
        run_id: of the run.
        key: prefix of the controls' keys.
        named: whether its name stands in its first line; else the page has it.

    Raises:
        RunNotFoundError: there is no such run.
    """
    run = find_run(workspace, run_id)
    # The same fragment whether or not it refreshes itself: so the chart stays in place when the run ends.
    changes = may_change(workspace, run)
    every = refresh_seconds(REFRESH_SECONDS) if changes else None
    st.fragment(_panel, run_every=every)(workspace, run_id, changes, key, named=named)


def may_change(workspace: Workspace, run: RunRecord) -> bool:
    """Whether more will happen to a run; one that has been cancelled ends first, and is thrown away after that."""
    return run.active or manager(workspace).job(run.id) is not None


@error_boundary()
def _panel(workspace: Workspace, run_id: str, changed: bool, key: str, *, named: bool) -> None:
    try:
        run = find_run(workspace, run_id)
    except RunNotFoundError:
        st.info("This run was discarded.", icon=":material/delete:")
        page_link(TRAIN, "Train again")
        return
    with following(run) as feed:
        _draw(workspace, run, feed, key, named=named)
    # Only after the drawn elements have handled the click that may have led here.
    if changed and not may_change(workspace, run):
        st.rerun()  # the whole page: the refreshing ends, and what else the page shows of the run is new


def _draw(workspace: Workspace, run: RunRecord, feed: Feed, key: str, *, named: bool) -> None:
    # Always the same places in the same order, so that nothing below moves when something above changes.
    line, chart, figures, watched, advice, footer = (st.container() for _ in range(6))
    progress = progress_now(run, feed)
    mine = is_mine(workspace, run.path)
    with line.container(gap="xsmall"):
        if run.active:
            _active_line(workspace, run, feed, key, named=named, mine=mine)
        else:
            if named:
                st.header(plain(run.name), anchor=False)
            _end_card(workspace, run, feed, key, mine=mine)
    if not (run.active or feed.history.epochs or feed.history.batches or feed.history.watched):
        with footer:
            _notes(progress, run.device)
        return  # an empty chart and dashes would say nothing
    with chart:
        live_chart(feed.history, key=f"{key}-chart-{run.id}", title=run.name)
    with figures:
        _figures(run, feed)
    with watched:
        watched_images_charts(run, feed.history, key=f"{key}-watched-{run.id}")
    with advice:
        _curve_advice(run, feed.history, key)
    with footer:
        _footer(run, progress)


def progress_now(run: RunRecord, feed: Feed) -> RunProgress:
    """Where a run stands, without what was before.

    Until the first word of a training that goes on, its log has the end of the last one, or where that was killed.
    """
    goes_on = run.status == "queued" or (run.active and feed.progress.finished)
    return RunProgress() if goes_on else feed.progress


def _active_line(workspace: Workspace, run: RunRecord, feed: Feed, key: str, *, named: bool, mine: bool) -> None:
    """The one line above the curves: what is trained, where it stands, how long it takes, and the ways to end it."""
    job, progress = manager(workspace).job(run.id), progress_now(run, feed)
    left = time_left(run.config, progress, planned_of(run.id, str(run.config), run, workspace), time.time())
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        name = f"**{plain(run.name)}**  \n" if named else ""
        st.markdown(f"{name}{_where(run, job, progress, left)}", width="stretch")
        if mine and run.status == "queued":
            _withdraw(workspace, run, job, key)
        elif mine:
            _stop_or_discard(workspace, run, job, progress, key)
    st.progress(feed.furthest(run, left.fraction))
    silent = silent_seconds(run, time.time())
    if silent is not None:
        st.warning(_stalled(job, silent), icon=":material/hourglass_disabled:")


@st.cache_data(max_entries=64, show_spinner=False)
def planned_of(run_id: str, config: str, _run: RunRecord, _workspace: Workspace) -> dict[str, float]:
    """Planned seconds by phase, of a run with this configuration; empty where its images or backbone are gone."""
    del run_id, config  # stand for the run, which goes on with another plan
    try:
        return planned_seconds(_run.config, dataset_of(_run), _workspace)
    except TransferLearningError:
        return {}


def _where(run: RunRecord, job: Job | None, progress: RunProgress, left: TimeLeft) -> str:
    if job and job.stopping:
        return "Stopping: it finishes the step it is at, then keeps the best epoch so far."
    if run.status == "queued" and job and job.position > 0:
        return f"Waiting in the queue: {count(job.position, 'training', 'trainings')} before this one."
    if run.status == "queued" or progress.phase is None:
        return manager(run.workspace).starting if run.status == "queued" else STARTING
    parts = []
    if progress.images_total:
        parts.append(f"{progress.text}: {progress.images:,} of {progress.images_total:,}")
    elif left.epoch and progress.phase == progress.training_phase:
        phase = f", phase {left.phase} of {left.phases}" if left.phases > 1 else ""
        parts.append(f"Epoch {left.epoch} of {left.epochs}{phase}")
    else:
        parts.append(f"{progress.text} …")
    if left.seconds is not None and left.seconds > 1:
        parts.append(f"{rough_duration(left.seconds)} left")
    return " · ".join(parts)


def _stalled(job: Job | None, silent: float) -> str:
    said = f"**Stalled: no sign of life for {duration(round(silent))}.** Perhaps a disk or a driver does not answer. "
    if job is None:
        return said + "It may go on by itself; else end it where it was started."
    then = f"If it stays so for {duration(GIVEN_UP_AFTER)}, it is ended; it can go on from its last saved epoch."
    if job.stopping:
        return said + f"It will stop as soon as it responds again. {then}"
    return said + f"It may go on by itself. If you do not want to wait, press Stop or Discard. {then}"


def _stop_or_discard(workspace: Workspace, run: RunRecord, job: Job | None, progress: RunProgress, key: str) -> None:
    """Two quiet buttons that cannot be taken for each other: only the second one asks, and it loses something."""
    ending = job is None or job.stopping
    kept = f"epoch {progress.best['epoch']:.0f}" if progress.best else None
    st.button(
        "Stop and keep the best",
        key=f"{key}-stop",
        icon=":material/stop_circle:",
        disabled=ending or kept is None,
        on_click=_stop,
        args=(workspace, run.id),
        help=f"Ends the training now. The model of {kept}, the best so far, stays and can be used."
        if kept
        else "There is nothing to keep before the first epoch is done.",
    )
    _discard(workspace, run, key, disabled=ending, loses="Its curves and its model will be gone.")


def _withdraw(workspace: Workspace, run: RunRecord, job: Job | None, key: str) -> None:
    st.button(
        "Withdraw",
        key=f"{key}-withdraw",
        icon=":material/remove_from_queue:",
        disabled=job is None or job.stopping,
        on_click=_stop,
        args=(workspace, run.id),
        help="Takes it out of the queue. Its settings stay in the list of runs.",
    )
    _discard(
        workspace, run, key, disabled=job is None or job.stopping, loses="It has not started; its settings are lost."
    )


def _discard(workspace: Workspace, run: RunRecord, key: str, *, disabled: bool, loses: str) -> None:
    confirm(
        "Discard",
        ":material/delete:",
        f"**Discard this run?** {loses}",
        "Discard for good",
        manager(workspace).cancel,
        run.id,
        key=f"{key}-cancel",
        disabled=disabled,
    )


@error_boundary()
def _stop(workspace: Workspace, run_id: str) -> None:
    manager(workspace).stop(run_id)


def _end_card(workspace: Workspace, run: RunRecord, feed: Feed, key: str, *, mine: bool) -> None:
    """How it ended and how good it is, and what can be done next."""
    whole = run.has_model and run.status not in ("failed", "interrupted")
    found = _headline(run) if whole else None
    if run.status == "failed":
        st.error(run.error or "This run has failed.", icon=":material/error:")
    elif run.status == "interrupted":
        cut_off = run.interruption or (CUT_OFF if feed.history.epochs else NEVER_BEGUN)
        st.warning(cut_off if _has_images(run) else f"{cut_off} {IMAGES_GONE}", icon=":material/power_off:")
    elif run.has_model:
        _how_good(run, found, feed.progress)
    else:
        st.info(feed.progress.text or "This run has ended.", icon=":material/info:")
    with st.container(horizontal=True, vertical_alignment="center"):
        _next_steps(workspace, run, feed, key, mine=mine)
    if found is not None and found.images < FEW_IMAGES:  # so few leave it open how good it is
        offer_cross_validation(workspace, run, dataset_of(run))


def _headline(run: RunRecord) -> Headline | None:
    try:
        return headline(run, dataset_of(run))
    except TransferLearningError:  # its images were deleted
        return None


def _how_good(run: RunRecord, found: Headline | None, progress: RunProgress) -> None:
    if found is None:
        st.success(progress.text or "This run has ended.", icon=":material/check_circle:")
        return
    ended = "Stopped" if run.status == "stopped" else "Done"
    text = f"**{ended}: {plain(found.sentence())}** {plain(found.baseline())}"
    if checked := kept_cross_validation(run):
        text += f" Cross-validated: {checked.text}."
    doubts = "".join(f"  \n:material/warning: {plain(doubt)}" for doubt in found.warnings())
    if found.guesses:
        st.warning(text + doubts, icon=":material/trending_flat:")
    else:
        st.success(text + doubts, icon=":material/check_circle:")


def _next_steps(workspace: Workspace, run: RunRecord, feed: Feed, key: str, *, mine: bool) -> None:
    jobs = manager(workspace)
    cut_off = run.resumable and run.status != "stopped"
    here = _has_images(run)
    if cut_off and mine and here:
        begun = feed.history.epochs or (run.path / CHECKPOINT_FILE).is_file()
        label = "Resume from the last epoch" if begun else "Start it again"
        _train_on(label, lambda: jobs.resume(run.id), f"{key}-resume", primary=True)
    if run.has_model:
        page_button(PREDICT, "Try it on a photo", key=f"{key}-predict", primary=not (cut_off and here), run=run.id)
        page_link(EVALUATE, "See how good it is, class by class", run=run.id)
    if run.status == "failed" and not run.has_model:
        _train_with_what_is_here(workspace, run, key)
    if run.has_model and run.can_go_on and mine and here:
        if run.resumable:
            _train_on(
                f"Continue: {planned_end(run) - feed.progress.epoch} of {planned_end(run)} epochs are left",
                lambda: jobs.resume(run.id),
                f"{key}-resume",
                "Trains the rest of what was planned, from the last epoch on.",
            )
        _train_on(
            f"Train {MORE_EPOCHS} more epochs",
            lambda: jobs.extend(run.id, MORE_EPOCHS),
            f"{key}-more",
            "Continues from its last epoch. If it gets no better, the model stays as it is.",
            icon=":material/forward_media:",
        )


def _has_images(run: RunRecord) -> bool:
    return run.dataset_path.is_dir()


def _train_with_what_is_here(workspace: Workspace, run: RunRecord, key: str) -> None:
    """The way on where the weights of a backbone could not be had: the one that comes with the installation."""
    backbone, ready = BACKBONES.get(run.config.backbone), get_backbone(PRESETS[DEFAULT_PRESET].config.backbone)
    missing = run.config.weights == "imagenet" and backbone and not weights_status(backbone, workspace).here
    if missing and st.button(
        f"Train with {ready.title} instead",
        key=f"{key}-instead",
        type="primary",
        icon=":material/swap_horiz:",
        help="Opens the form with the same images and a backbone that needs no download. Nothing starts yet.",
    ):
        _open_form(PRESETS[DEFAULT_PRESET].config, run)


def _open_form(config: TrainingConfig, run: RunRecord) -> None:
    draft().fill(config, run.dataset_id, parent=run.id)  # the form says so if these images are gone
    go_to(TRAIN)


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
        title = f"Kept so far: epoch {best['epoch']:.0f}" if best else "Kept so far"
        kept = percent(best.get("val_accuracy"))
    else:
        title, epoch = "Kept epoch", history.best_epoch
        shown = history.epochs.get(epoch, {}) if epoch is not None else {}
        if run.best is not None and run.best.epoch == epoch:  # as measured at the end, with the model that is stored
            shown = {**shown, "val_accuracy": run.best.val_accuracy, "val_loss": run.best.val_loss}
        kept = f"{epoch} of {len(history.epochs)}" if shown else MISSING
    figures = [(label, form(shown.get(name)), help) for label, name, form, help in _FIGURES]
    help = "The epoch with the lowest validation loss is kept. Its accuracy is not always the highest one: the loss "
    help += "also counts how sure the model is of its answers."
    figures.insert(1 if run.active else 0, (title, kept, help))
    with st.grid(4, min_column_width=150):
        for label, value, help in figures:
            st.metric(label, value, help=help)


def _footer(run: RunRecord, progress: RunProgress) -> None:
    if run.active:
        speed = f" · {progress.images_per_second:,.0f} images/s" if progress.images_per_second else ""
        st.caption(
            f"{duration(progress.elapsed_seconds(time.time()))} so far{speed} · {node_line(run) or _machine_load()}"
        )
    else:
        st.caption(f"Trained for {duration(progress.worked)}.")  # one that was killed has not worked since
    _notes(progress, run.device)


def _notes(progress: RunProgress, device: str | None = None) -> None:
    notes = [*([f"Trained on {device}."] if device else []), *dict.fromkeys(progress.notes)]
    if notes:
        with st.expander("Technical notes", icon=":material/info:"):
            st.markdown("\n".join(f"- {plain(note)}" for note in notes))


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
            _open_form(remark.config, run)
        if remark.more_images:
            with action:
                page_button(
                    DATA, "Add images", key=f"{key}-images", primary=False, dataset=run.dataset_id, width="stretch"
                )
        elif not run.active:
            with action:
                page_button(
                    TRAIN,
                    "Find the best for me",
                    key=f"{key}-search",
                    primary=False,
                    dataset=run.dataset_id,
                    way=FIND,
                    width="stretch",
                )


@st.cache_data(ttl=0.9, show_spinner=False)
def _machine_load() -> str:
    """Such as ``CPU 84 % · memory 6.1 of 16.0 GB``; measured once for all the browsers that watch."""
    return format_load(current_load())
