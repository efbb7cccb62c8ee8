"""Changing images in a callback; why something was refused stands where it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from tl_core.data import Dataset
from tl_core.errors import TransferLearningError
from ui.shell.errors import error_boundary
from ui.shell.navigation import Page
from ui.state.tab_memory import keep_in_tab, kept_in_tab

_MADE: Final = "changes-made-on-"  # in the tab, before the title of a page: datasets and revisions


@error_boundary()
def change(make: Callable[[], object], key: str) -> None:
    """Do it, for a callback; a refusal is kept until the page is drawn.

    Args:
        make: what changes something.
        key: of the place that shows the refusal, see `show_refusal`.
    """
    try:
        make()
    except TransferLearningError as error:
        st.session_state[f"{key}-refused"] = str(error)


def change_images(make: Callable[[], Dataset], key: str, page: Page, before: Dataset) -> None:
    """Change images from a page other than Data, which offers to undo just that; see `change`.

    Args:
        make: gives the dataset as it is then.
        key: of the place that shows the refusal.
        page: on which it is asked for.
        before: the dataset as the page was drawn with it.
    """

    def made() -> None:
        after = make()
        if after.revision not in {revision.number for revision in before.revisions}:  # else nothing was changed
            keep_in_tab(_MADE + page.title, (*_made_on(page), (after.id, after.revision)))

    change(made, key)


def was_made_on(page: Page, dataset: Dataset) -> bool:
    """Whether the last change of a dataset was made on this page, in this tab of the browser."""
    return (dataset.id, dataset.revision) in _made_on(page)


def _made_on(page: Page) -> tuple[tuple[str, int], ...]:
    found: tuple[tuple[str, int], ...] = kept_in_tab(_MADE + page.title) or ()
    return found


def show_refusal(key: str) -> None:
    """Say once why the last change of this place was refused."""
    if refused := st.session_state.pop(f"{key}-refused", None):
        st.error(refused, icon=":material/error:")
