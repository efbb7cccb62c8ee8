"""Evaluate: how good the model of a run is, class by class."""

import streamlit as st

from tl_core.data import load_dataset
from tl_core.runs import RunRecord
from tl_core.workspace import Workspace
from ui.evaluation.classes import class_table
from ui.evaluation.doubt import doubt_section
from ui.evaluation.evaluating import evaluated
from ui.evaluation.images import forget_arrival, mix_ups_and_images
from ui.evaluation.measures import more_measures
from ui.evaluation.report import report_download
from ui.evaluation.summary import evaluation_summary
from ui.navigation import EVALUATE, PREDICT, RUNS, go_to, page_link
from ui.page import page_setup
from ui.runs.picker import newest, pick_run
from ui.runs.words import model_words
from ui.words import count

SPLITS = {"test": "Test images", "validation": "Validation images"}


def choose_split(run: RunRecord) -> str | None:
    """Which images the model is asked about; None where the dataset has none set aside."""
    splits = [split for split in SPLITS if run.split_counts.get(split)]
    if not splits:
        st.info("The dataset of this run has no test or validation images, so there is nothing to measure it by.")
        return None
    return st.radio(
        "Asked about",
        splits,
        horizontal=True,
        format_func=lambda split: f"{SPLITS[split]} ({run.split_counts[split]:,})",
        key="evaluate-split",
        help="Validation images chose the best epoch. Test images were kept aside until now.",
    )


def show(workspace: Workspace, run: RunRecord, split: str) -> None:
    """The evaluation of one run on one split, from the whole to the single class."""
    result = evaluated(workspace, run, split)
    dataset = load_dataset(workspace.datasets / run.dataset_id)
    key = f"evaluate-{run.id}-{split}"
    evaluation_summary(result.confusion, run.classes, result.top_k, split)
    st.caption(f"Measured on {model_words(run)}.")
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Try it on a photo", type="primary", icon=PREDICT.icon):
            go_to(PREDICT, run=run.id)
        report_download(run, dataset, result, f"{key}-report")
        page_link(RUNS, "See its curves and settings", run=run.id)
    forget_arrival(key)
    mix_ups_and_images(dataset, run, result, key)
    st.header(f"Class by class: {count(len(run.classes), 'class', 'classes')}", anchor=False)
    class_table(result.per_class, key, f"{run.id}-{split}-classes.csv")
    more_measures(result, key, f"{run.id}-{split}")
    doubt_section(workspace, run, f"doubt-{run.id}")


with page_setup("Evaluate", EVALUATE.icon, lead="How good is a model, and where does it go wrong?") as workspace:
    chosen = pick_run(workspace, newest, key="evaluate-run")
    if chosen is not None and (split := choose_split(chosen)) is not None:
        show(workspace, chosen, split)
