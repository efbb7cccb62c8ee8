"""What matters most: four goals as cards, each with what it costs, and the published recipes in a list."""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.config import SETTINGS, TrainingConfig
from tl_core.config.presets import GOALS, PRESETS, Preset
from tl_core.data import Dataset
from tl_core.errors import TransferLearningError
from tl_core.planning import plan_training
from tl_core.runs import RunRecord, find_run
from tl_core.runs.comparison import changes_between
from tl_core.storage.format import rough_duration, size
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.search_page.begin import unfold
from ui.shell.navigation import TRAIN, page_button
from ui.state.training_draft import Draft, draft, show_in_control

_PRESET: Final = SETTINGS["preset"]
_MOST_NAMED: Final = 3  # changed settings named one by one; more are counted
_WEIGHT_BYTES: Final = 4  # float32, as a model is stored
FEW_PER_CLASS: Final = 50  # images of a class; *Few images* is for 10 to 50
_KNOWN_SECONDS: Final = 10.0  # for which what a goal costs is not computed again
_RECIPES: Final = tuple(name for name in PRESETS if name not in GOALS)


def choose_goal(workspace: Workspace, dataset: Dataset) -> None:
    """The four cards, the list of recipes, and what differs from what was chosen; each fills in the whole form."""
    chosen = draft().values["preset"]
    with st.grid(len(GOALS), min_column_width=150, gap="small"):
        for name in GOALS:
            with st.container(border=True, height="stretch", gap="xsmall"):
                _card(workspace, dataset, PRESETS[name], chosen=name == chosen)
    st.button(
        "Not sure? Let a search find the best",
        key="train_find_the_best",
        icon=":material/travel_explore:",
        type="tertiary",
        help="Opens *Find the best for me* below: it tries one model after the other for as long as you say.",
        on_click=unfold,
    )
    _recipes(chosen)
    _changes(workspace, draft())


def _card(workspace: Workspace, dataset: Dataset, goal: Preset, *, chosen: bool) -> None:
    st.button(
        goal.title,
        key=f"train_goal_{goal.name}",
        icon=":material/check:" if chosen else None,
        type="primary" if chosen else "secondary",
        width="stretch",
        on_click=draft().fill,
        args=(goal.config,),
        help="Fills in the whole form. You can change anything afterwards.",
    )
    st.caption(goal.text)
    if goal.name == fitting_goal(dataset):
        each = round(len(dataset.images) / len(dataset.classes))
        st.caption(f":green[:material/recommend:] Fits these images: about {each:,} per class.")
    st.space("stretch")
    st.caption(f"**{_costs(goal.name, dataset.fingerprint, workspace, dataset)}**")


def fitting_goal(dataset: Dataset) -> str:
    """Which of *Fast* and *Few images* is for so many images per class."""
    return "few_images" if len(dataset.images) <= FEW_PER_CLASS * len(dataset.classes) else "quick_start"


@st.cache_data(ttl=_KNOWN_SECONDS, max_entries=64, show_spinner=False)
def _costs(preset: str, fingerprint: str, _workspace: Workspace, _dataset: Dataset) -> str:
    """Time, size of the model, and whether it needs the network: ``20 seconds · 16 MB model · works offline``."""
    del fingerprint  # stands for the dataset
    config = PRESETS[preset].config
    plan = plan_training(config, _dataset, _workspace)
    here = "works offline" if not plan.download_mb else f"downloads {plan.download_mb:.0f} MB first"
    time = rough_duration(plan.seconds)
    if plan.exact and plan.quiet:  # else it stays about so much: nothing like it has been measured in quiet yet
        time = time.removeprefix("about ")
    return f"{time} · {size(_WEIGHT_BYTES * plan.total_parameters)} model · {here}"


def _recipes(chosen: str) -> None:
    """The published walk-throughs; also what a file or an older run may have been called."""
    show_in_control(_PRESET, None if chosen in GOALS else chosen)
    st.selectbox(
        "Or follow a published recipe",
        [*_RECIPES, *([] if chosen in PRESETS else [chosen])],
        index=None,
        key=_PRESET.key,
        format_func=lambda name: PRESETS[name].title if name in PRESETS else f"{name} (from a file)",
        placeholder="None chosen",
        help="Walk-throughs from books and guides, each with its own settings; most need a download. "
        "Choosing one fills in the whole form.",
        on_change=_recipe_chosen,
    )
    if chosen in _RECIPES:
        recipe = PRESETS[chosen]
        st.caption(recipe.text + (f" [Published here]({recipe.source_url})." if recipe.source_url else ""))


def _recipe_chosen() -> None:
    if chosen := PRESETS.get(st.session_state[_PRESET.key] or ""):
        draft().fill(chosen.config)


def _changes(workspace: Workspace, form: Draft) -> None:
    """Always one line, so that nothing below it moves when the first setting is changed."""
    parent = _parent(workspace, form)
    preset = PRESETS.get(form.values["preset"])
    config = parent.config if parent else preset.config if preset else None
    if config is None:
        return
    changed = _changed(form, config)
    whose = f"**{plain(parent.name)}**" if parent else f"*{preset.title}*" if preset else ""
    start = f"Settings of {whose}. " if parent else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(start + changed if changed else f"These are the settings of {whose}.", width="content")
        if changed:
            st.button(
                "Undo changes",
                type="tertiary",
                icon=":material/undo:",
                help="Sets everything as it was at first; the dataset stays.",
                on_click=form.fill,
                args=(config,),
                kwargs={"parent": parent.id if parent else None},
            )
        if parent:
            page_button(TRAIN, "Back to the run", key="train_parent", primary=False, run=parent.id)


def _changed(form: Draft, config: TrainingConfig) -> str:
    try:
        changed = changes_between(config, form.config())
    except TransferLearningError:
        return "Not complete: a setting cannot be read."
    if len(changed) > _MOST_NAMED:
        return f"{len(changed)} settings changed: {', '.join(changed[:_MOST_NAMED])} …"
    return f"Changed: {', '.join(changed)}." if changed else ""


def _parent(workspace: Workspace, form: Draft) -> RunRecord | None:
    """The run whose settings were taken over; None where there is none, or it has been deleted since."""
    try:
        return find_run(workspace, form.parent) if form.parent else None
    except TransferLearningError:
        return None
