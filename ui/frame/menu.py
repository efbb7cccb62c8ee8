"""The list of pages: at the side, and on a phone as a bar of named icons at the bottom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from tl_core.errors import TransferLearningError
from tl_core.jobs import manager
from tl_core.runs import RunRecord, find_run
from tl_core.storage.workspace import Workspace
from ui.shell.access.gate import show_visitor
from ui.shell.navigation import PAGES, RUN, TRAIN, Page
from ui.state.current import address_of, remembered

BAR: Final = "frame-bar"  # the key of the bar: phone.css places it


def draw_menu(workspace: Workspace | None = None) -> None:
    """Draw the links, each with the current dataset and model in its address; with no workspace without them.

    Of the two lists the browser shows one (phone.css), so that nothing has to be opened or closed on a phone.
    """
    addresses = {page.path: _address(page, workspace) for page in PAGES}
    with st.sidebar:
        _links(addresses)
        show_visitor()
    with st.container(key=BAR, horizontal=True, gap=None):
        _links(addresses)


def _links(addresses: Mapping[str, dict[str, str]]) -> None:
    for page in PAGES:
        st.page_link(page.path, label=page.title, icon=page.icon, width="stretch", query_params=addresses[page.path])


def _address(page: Page, workspace: Workspace | None) -> dict[str, str]:
    """The parameters of the link to a page; *Train* leads to the training at work."""
    if workspace is None:
        return {}
    address = address_of(remembered(), page)
    if page == TRAIN and (run := training_at_work(workspace)):
        return {RUN: run.id}
    return address


def training_at_work(workspace: Workspace) -> RunRecord | None:
    """The run in training, or the one that is next; None where there is none that the person may see."""
    for job in manager(workspace).jobs():
        try:
            return find_run(workspace, job.run_id)
        except TransferLearningError:  # somebody else's, or cancelled at this moment
            continue
    return None
