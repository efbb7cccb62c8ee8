"""Where somebody was who has been here before: the current model, and a place to drop a photo that answers there."""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.runs import RunRecord
from tl_core.storage.format import count, moment
from ui.components.markdown import plain
from ui.components.prediction.answers import answers_to
from ui.components.prediction.card import prediction_card
from ui.components.prediction.photos import photo_field, photos_came_from, shown_photos
from ui.components.run_format import format_accuracy
from ui.shell.navigation import EVALUATE, PREDICT, TRAIN, go_to, page_button, page_link
from ui.state.training_draft import draft

FIELD: Final = "home-photos"
BARS: Final = 3  # classes with a bar


def show_model(run: RunRecord) -> None:
    """The current model, how good it is, and what can be done with it."""
    with st.container(border=True, key="home-model", height="stretch"):
        st.caption("Continue with")
        st.markdown(f"#### {plain(run.name)}")
        facts = (
            format_accuracy(run),
            count(len(run.classes), "class", "classes"),
            moment(run.finished or run.created),
        )
        st.markdown(" · ".join(fact for fact in facts if fact))
        with st.container(horizontal=True):
            page_button(PREDICT, "Predict", key="home-predict", run=run.id)
            page_button(EVALUATE, "Evaluate", key="home-evaluate", primary=False, run=run.id)
            if st.button(
                "Train again",
                key="home-again",
                icon=TRAIN.icon,
                help="Opens the form with the settings of this run. Nothing starts yet.",
            ):
                draft().fill(run.config, run.dataset_id)
                go_to(TRAIN)


def photo_box(run: RunRecord) -> None:
    """A field for a photo; the answer of the current model appears under it."""
    with st.container(border=True, key="home-box", height="stretch"):
        photo_field(f"Drop a photo here: {plain(run.name)} says what it is", FIELD)
        pictures = shown_photos()
        if not pictures or photos_came_from() != FIELD:
            st.caption("The photo stays on this computer.")
            return
        (answer,) = answers_to(pictures[:1], run)
        prediction_card(pictures[0], [answer], [run], f"home-{pictures[0].id}", BARS)
        if len(pictures) > 1:
            page_link(PREDICT, f"See all {len(pictures):,} answers", run=run.id)
