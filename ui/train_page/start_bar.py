"""The last line of the form: what will happen, and the button that makes it happen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from tl_core.config import TrainingConfig
from tl_core.data import Dataset
from tl_core.data.health import shape_tells
from tl_core.errors import ConfigError, NotYoursError
from tl_core.jobs import manager
from tl_core.planning import TrainingPlan, plan_training
from tl_core.planning.speed_meter import speed_meter
from tl_core.runs import find_run
from tl_core.runs.watched_images import NewWatchedImage
from tl_core.storage.format import count, rough_duration
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.frame.page import CONTENT_WIDTH
from ui.search_page.begin import find_the_best
from ui.shell.errors import error_boundary
from ui.shell.navigation import TRAIN, page_button
from ui.state.begin_training import ask_to_begin, begin_training, was_asked
from ui.state.training_draft import draft
from ui.train_page.advice import Situation, advise

_NO_PLAN: Final = "What will happen is shown here once all settings can be used."


def remarks(dataset: Dataset) -> None:
    """Advice on the settings, each with a button that follows the advice."""
    form = draft()
    try:
        config = form.config()
    except ConfigError:
        return  # the line above the button shows it
    images = [of_split["train"] for of_split in dataset.counts().values()]
    situation = Situation(
        config=config,
        layers=len(form.outline.layers),
        classes=len(dataset.classes),
        smallest_class=min(images, default=0),
        largest_class=max(images, default=0),
        shape_tells=shape_tells(dataset) is not None,
    )
    for advice in advise(situation):
        with st.container(border=True):
            words, action = st.columns([3, 1], gap="medium", vertical_alignment="center")
            words.markdown(f":material/lightbulb: {advice.text}")
            action.button(
                advice.action,
                key=f"train_advice_{advice.action}",
                on_click=form.update,
                args=(advice.changes,),
                width="stretch",
            )


def start_bar(workspace: Workspace, dataset: Dataset, watched: Sequence[NewWatchedImage]) -> None:
    """The plan as the last line of the form; its time and the Start button, always in sight at the bottom."""
    try:
        config = draft().config()
        plan = plan_training(config, dataset, workspace)
    except ConfigError as error:
        st.caption(_NO_PLAN)
        with st.bottom, st.container(horizontal_alignment="center"), st.container(width=CONTENT_WIDTH):
            _bar(dataset, "", (str(error),))
        return
    ahead = len(manager(workspace).jobs())
    queue = f" It waits until {count(ahead, 'other training is', 'other trainings are')} done." if ahead else ""
    st.caption(plain(plan.text + queue))
    if find_the_best(workspace, dataset):
        return  # the bar would lie over the panel's own button
    with st.bottom, st.container(horizontal_alignment="center"), st.container(width=CONTENT_WIDTH):
        if _bar(dataset, _short(plan, ahead), plan.problems) and was_asked(dataset):
            _start(workspace, config, dataset, watched)
        # Below the bar, which so keeps its place: what refreshes itself, and then is not there any more, could take
        # the place of what follows it with it when it is late.
        if not (plan.exact and plan.quiet) and not plan.problems:
            _wait_for_measurement(workspace, config, dataset)


def _short(plan: TrainingPlan, ahead: int) -> str:
    """The plan in a few words, such as ``About 40 seconds · nothing to download``."""
    time = rough_duration(plan.seconds)
    parts = [f"{time[0].upper()}{time[1:]}" + ("" if plan.exact else ", roughly")]
    parts.append(f"{plan.download_mb:.0f} MB to download first" if plan.download_mb else "nothing to download")
    if ahead:
        parts.append(f"after {count(ahead, 'other training')}")
    return " · ".join(parts)


def running_now(workspace: Workspace) -> None:
    """A line with a link for the training at work, if there is one."""
    jobs = manager(workspace).jobs()
    if not jobs:
        return
    try:
        run = find_run(workspace, jobs[0].run_id)
    except NotYoursError:
        run = None
    words = f"**{plain(run.name)}**" if run else "somebody else's model"
    waiting = f", {count(len(jobs) - 1, 'more is', 'more are')} waiting" if len(jobs) > 1 else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/autorenew: In training now: {words}{waiting}.", width="content")
        if run is not None:
            # A link to the page one is on would leave the address as it is, and a reload would lose the run.
            page_button(TRAIN, "Watch it", key="train-watch", primary=False, run=run.id)


def _bar(dataset: Dataset, text: str, problems: tuple[str, ...]) -> bool:
    """The plan, or what stands against it, and the button; returns whether it was pressed."""
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(gap="xsmall"):
            for problem in problems:
                st.markdown(f":small[:red[:material/error:] {plain(problem)}]")
            if text:
                st.markdown(f":small[{plain(text)}]")
        return st.button(
            "Start training",
            key="train_start",
            type="primary",
            icon=":material/play_arrow:",
            disabled=bool(problems),
            help="Trains in the background: you may leave this page, or close it, and come back.",
            on_click=ask_to_begin,
            args=(dataset,),
        )


def _wait_for_measurement(workspace: Workspace, config: TrainingConfig, dataset: Dataset) -> None:
    """Have the speed of such a training measured; the line shows a better time as soon as it is."""
    meter = speed_meter(workspace)

    @error_boundary()
    def watch() -> None:
        if waiting and meter.request(config, dataset.id) != waiting:
            st.rerun()  # measured, if only while the machine was busy; or it is quiet again

    waiting = meter.request(config, dataset.id)
    st.fragment(watch, run_every=waiting or None)()


def _start(
    workspace: Workspace, config: TrainingConfig, dataset: Dataset, watched: Sequence[NewWatchedImage]
) -> None:
    st.query_params["run"] = begin_training(workspace, config, dataset, watched).id
    st.rerun()
