"""Evaluate: how good the model of a run is, class by class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from tl_core.data import Dataset
from tl_core.errors import DatasetNotFoundError
from tl_core.evaluation.cross_validated import kept_cross_validation
from tl_core.evaluation.headline import headline
from tl_core.runs import RunRecord, dataset_of
from tl_core.storage.format import count
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.pickers import current_run
from ui.components.run.cross_validation import offer_cross_validation
from ui.components.run_format import format_model
from ui.evaluate_page.evaluation import evaluated, report_download
from ui.evaluate_page.images import forget_arrival, mix_ups_alone, mix_ups_and_images
from ui.evaluate_page.measures import class_table, evaluation_summary, more_measures
from ui.evaluate_page.rejection import rejection_section
from ui.frame.page import page_setup
from ui.shell.navigation import EVALUATE, PREDICT, RUNS, page_button, page_link

if TYPE_CHECKING:
    from tl_core.evaluation.evaluate import Evaluation

SPLITS = {"test": "Test images", "validation": "Validation images"}


def choose_split(run: RunRecord) -> str | None:
    """The split to evaluate; None where the dataset has none set aside."""
    splits = [split for split in SPLITS if run.split_counts.get(split)]
    if not splits:
        st.info("The dataset of this run has no test or validation images, so its model cannot be measured.")
        return None
    return st.radio(
        "Tested on",
        splits,
        horizontal=True,
        format_func=lambda split: f"{SPLITS[split]} ({run.split_counts[split]:,})",
        key="evaluate-split",
        help="Validation images chose the best epoch. Test images were kept aside until now.",
    )


def show(workspace: Workspace, run: RunRecord, split: str) -> None:
    """The evaluation of one run on one split, from the whole to the single class."""
    key = f"evaluate-{run.id}-{split}"
    try:
        result = evaluated(workspace, run, split)
    except DatasetNotFoundError as error:
        st.error(str(error), icon=":material/error:")
        next_steps(run)
        return
    dataset = dataset_of(run) if result.records else None
    evaluation_summary(result.confusion, run.classes, result.top_k, split, kept_cross_validation(run))
    found = headline(run, dataset) if dataset else None
    for doubt in found.warnings() if found and found.split == split else ():
        st.warning(plain(doubt), icon=":material/warning:")
    st.caption(f"Measured on {format_model(run.best)}.")
    if dataset:
        offer_cross_validation(workspace, run, dataset)
    next_steps(run, dataset, result, f"{key}-report")
    forget_arrival(key)
    if dataset:
        mix_ups_and_images(workspace, dataset, run, result, key)
    else:
        mix_ups_alone(run, result, key)
    st.header(f"Class by class: {count(len(run.classes), 'class', 'classes')}", anchor=False)
    class_table(result.per_class, key, f"{run.id}-{split}-classes.csv")
    more_measures(result, key, f"{run.id}-{split}")
    rejection_section(workspace, run, f"doubt-{run.id}")


def next_steps(
    run: RunRecord, dataset: Dataset | None = None, result: Evaluation | None = None, key: str = ""
) -> None:
    """Where to go from here; with images and figures also the report on them."""
    with st.container(horizontal=True, vertical_alignment="center"):
        page_button(PREDICT, "Try it on a photo", run=run.id)
        if dataset and result:
            report_download(run, dataset, result, key)
        page_link(RUNS, "See its curves and settings", run=run.id)


with page_setup("Evaluate", EVALUATE.icon, lead="How good is a model, and where does it go wrong?") as workspace:
    chosen = current_run(workspace, key="evaluate-run")
    if chosen is not None and (split := choose_split(chosen)) is not None:
        show(workspace, chosen, split)
