"""The three steps from pictures to predictions, as cards; the next one to take stands out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import streamlit as st

from ui.components.empty_state import ways_to_images
from ui.shell.navigation import DATA, PREDICT, TRAIN, Page, page_button


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what to do, and where."""

    title: str
    text: str
    action: str  # of its button; the first step has two of its own
    page: Page


STEPS: Final = (
    Step(
        "Add images",
        "A folder or zip with one folder per kind (a *class*), photos class by class, or a sample set in one click.",
        "",
        DATA,
    ),
    Step(
        "Train",
        "Press Start and watch the curves grow. Stop whenever you like: the best model so far is kept.",
        "Train a model",
        TRAIN,
    ),
    Step(
        "Predict",
        "Show the model a photo it has never seen. It answers with what it sees and how sure it is.",
        "Try it on a photo",
        PREDICT,
    ),
)


def show_first_steps(*, has_data: bool) -> None:
    """Draw the steps for who has no model yet; the button of the next one is the page's primary button."""
    upcoming = 1 if has_data else 0
    for place, (column, step) in enumerate(zip(st.columns(len(STEPS)), STEPS, strict=True)):
        with column.container(border=True, height="stretch"):
            st.header(f"{place + 1}. {step.title}", anchor=False)
            st.markdown(step.text)
            st.space("stretch")
            key = f"step-{place + 1}"
            if step.page == DATA:
                ways_to_images(key, primary=place == upcoming, width="stretch")
            else:
                page_button(step.page, step.action, key=key, primary=place == upcoming, width="stretch")
