"""The frame every page stands in."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx, script_runner

from tl_core.errors import TransferLearningError
from tl_core.storage.workspace import Workspace
from ui.frame.browser import browser_side
from ui.frame.menu import draw_menu
from ui.frame.strip import cut_names, draw_strip
from ui.shell.access.endpoints import take_uploads
from ui.shell.access.gate import admitted, forget_end_of_login, seen_by_visitor, show_visitor
from ui.shell.errors import error_boundary
from ui.shell.navigation import HOME, PAGES, Page, follow_pressed
from ui.shell.server_log import start_server_log
from ui.shell.session_gc import forget_closed_tabs
from ui.state.current import settle

PRODUCT: Final = "Transfer learning"
_ASSETS: Final = Path(__file__).parent / "assets"
MARK: Final = _ASSETS / "mark.svg"
STYLES: Final = (_ASSETS / "contrast.css", _ASSETS / "phone.css")
CONTENT_WIDTH: Final = 1120  # px; wider lines are harder to read and charts gain nothing

logger = logging.getLogger(__name__)

_CLEANER: Final = "_clean_problem_modules"


@contextlib.contextmanager
def page_setup(title: str, icon: str, *, lead: str | None = None) -> Iterator[Workspace]:
    """Set up a page and give the workspace it works on; an error inside becomes one sentence::

        with page_setup("Data", ":material/photo_library:", lead="Bring the images to learn from.") as workspace:
            ...

    A visitor who is not let in (`ui.shell.access`) sees the title and what to do, and nothing inside is run.

    Args:
        title: the heading, also the title of the browser tab.
        icon: a Material symbol, such as ``:material/home:``.
        lead: one sentence under the heading that says what this page is for.
    """
    forget_end_of_login()
    follow_pressed()
    tab = title if title == PRODUCT else f"{title} · {PRODUCT}"
    # A Material symbol as the icon of the tab would be fetched from the network; this file is not.
    st.set_page_config(page_title=tab, page_icon=MARK, layout="wide")
    st.logo(MARK, size="large")
    for style in STYLES:
        st.html(style)
    with st.container(horizontal_alignment="center"), st.container(width=CONTENT_WIDTH):
        workspace = None
        with error_boundary():
            head = st.container(
                key="frame-head", horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
            )
            head.title(title, anchor=False, icon=icon, width="content")
            start_server_log(Workspace.from_environment())
            forget_closed_tabs()
            inside = admitted()
            refused = take_uploads(inside)
            if not inside:
                _end_here()
            workspace = _enter(next((page for page in PAGES if page.title == title), HOME), head, tab)
            if lead:
                st.markdown(lead)
            with st.container():  # always there, so that nothing below is drawn again
                if refused:
                    st.warning(refused, icon=":material/upload_file:")
        if workspace is None:
            _end_here()
        with error_boundary():
            yield workspace
            show_visitor("phone")  # where there is no side; elsewhere phone.css hides it


def _end_here() -> NoReturn:
    """End this page, and the parts that the page before it had and that refresh themselves.

    Streamlit forgets those only where a script runs to its end. After a plain `st.stop` one of them would be run once
    more and draw at a place that is gone, at which the browser shows an empty window until it is reloaded.
    """
    context = get_script_run_ctx()
    if context is not None:
        context.fragment_storage.clear(new_fragment_ids=context.shared.new_fragment_ids.snapshot())
    st.stop()


def _enter(page: Page, head: DeltaGenerator, tab: str) -> Workspace:
    """Draw what all pages have, for the current dataset and model; returns the workspace of the visitor.

    Args:
        page: that is drawn.
        head: the line of its title.
        tab: the title of the browser's tab.

    Raises:
        WorkspaceError: the workspace cannot be read or written; the menu is there all the same.
    """
    try:
        workspace = seen_by_visitor(Workspace.from_environment().ensure())
        current = settle(workspace, page)
    except TransferLearningError:
        draw_menu()
        raise
    draw_menu(workspace)
    browser_side(workspace, cut_names(current))
    with head:
        draw_strip(workspace, current, tab)
    return workspace


def protect_keras_state() -> None:
    """Stop Streamlit from calling ``keras.backend.clear_session`` after every script run.

    Streamlit does so as soon as anything has imported Keras, as a first prediction does. It was made for scripts that
    build a model on every run; here it would take some tenths of a second from every page, for all visitors, and the
    state of a model that another visitor has just opened. There is no setting for it. May be called any number of
    times.
    """
    if not hasattr(script_runner, _CLEANER):
        logger.warning("This version of Streamlit may clear Keras' state after every page, which is slow.")
    setattr(script_runner, _CLEANER, _leave_everything)


def _leave_everything() -> None:
    """Nothing here has state that a finished script should take with it."""


protect_keras_state()
