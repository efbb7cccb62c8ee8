"""The pages in the order a person works, and links to them with a run or a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

import streamlit as st


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the file that draws it, its name and its icon."""

    path: str  # relative to app.py
    title: str
    icon: str


HOME: Final = Page("app.py", "Home", ":material/home:")
DATA: Final = Page("pages/1_Data.py", "Data", ":material/photo_library:")
TRAIN: Final = Page("pages/2_Train.py", "Train", ":material/model_training:")
RUNS: Final = Page("pages/3_Runs.py", "Runs", ":material/history:")
EVALUATE: Final = Page("pages/4_Evaluate.py", "Evaluate", ":material/fact_check:")
PREDICT: Final = Page("pages/5_Predict.py", "Predict", ":material/image_search:")

PAGES: Final = (HOME, DATA, TRAIN, RUNS, EVALUATE, PREDICT)

DATASET: Final = "dataset"  # in the address: the current dataset
RUN: Final = "run"  # the run that is opened; on Evaluate and Predict the one whose model is current
COMPARE: Final = "compare"  # the ids of the runs that are compared on Runs, with commas between them
MODEL: Final = "current"  # the run whose model is current, on the other pages
WAY: Final = "way"  # on Data: which of the ways to new images is open, such as ``zip``; on Train: `FIND`
FIND: Final = "search"  # on Train: the way that lets a search find the best model
SEARCH: Final = "search"  # on Train: which search for the best model is shown
HISTORY: Final = "history"  # on Data: the list of all that was changed is open
_PRESSED: Final = "page-pressed"  # in the session: the page and the parameters of a button until they are followed


def page_link(
    page: Page,
    label: str | None = None,
    *,
    run: str | None = None,
    dataset: str | None = None,
    search: str | None = None,
    history: bool = False,
    icon: str | None = None,
) -> None:
    """A link to a page, opened at the given run, dataset, history of the dataset, or search."""
    parameters = {
        **_parameters(run, dataset),
        **({SEARCH: search} if search else {}),
        **({HISTORY: "1"} if history else {}),
    }
    st.page_link(page.path, label=label or page.title, icon=icon or page.icon, query_params=parameters)


def page_button(
    page: Page,
    label: str,
    *,
    key: str | None = None,
    primary: bool = True,
    run: str | None = None,
    dataset: str | None = None,
    width: Literal["content", "stretch"] = "content",
    compare: Sequence[str] = (),
    way: str | None = None,
) -> None:
    """A button that leaves for a page, opened at the given run or dataset, way to images, or with the runs compared.

    A press leads where the button said when it was pressed, also where the page has changed since: it is written down
    before the page is drawn again, and followed by `follow_pressed`, or here in a fragment.
    """
    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    target = (page.path, _parameters(run, dataset, compare, way))
    if st.button(label, key=key, icon=page.icon, type=kind, width=width, on_click=_press, args=target):
        follow_pressed()


def follow_pressed() -> None:
    """Leave for the page whose button has been pressed, if one has: the first thing that a page does."""
    if target := st.session_state.pop(_PRESSED, None):
        path, parameters = target
        st.switch_page(path, query_params=parameters)


def go_to(page: Page, *, run: str | None = None, dataset: str | None = None) -> NoReturn:
    """Leave for another page at once."""
    st.session_state.pop(_PRESSED, None)
    st.switch_page(page.path, query_params=_parameters(run, dataset))


def _press(path: str, parameters: dict[str, str]) -> None:
    st.session_state[_PRESSED] = (path, parameters)


def _parameters(
    run: str | None, dataset: str | None, compare: Sequence[str] = (), way: str | None = None
) -> dict[str, str]:
    values = ((RUN, run), (DATASET, dataset), (COMPARE, ",".join(compare) or None), (WAY, way))
    return {name: value for name, value in values if value is not None}
