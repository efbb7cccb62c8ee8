"""The switch with which a person shares something of theirs, where people log in."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from tl_core.storage.ownership import belonging, share
from tl_core.storage.workspace import Workspace
from ui.shell.errors import error_boundary


def sharing_switch(workspace: Workspace, folder: Path, what: str, key: str, goes_along: str = "") -> None:
    """Draw nothing where nobody logs in or the thing is everybody's; else the switch, or whose it is.

    Args:
        workspace: with the person.
        folder: of the thing.
        what: what it is, such as ``run``.
        key: of the switch.
        goes_along: what others see with it, as the end of a sentence.
    """
    found = belonging(folder)
    if workspace.person is None or found.person is None:
        return
    if found.person != workspace.person:
        somebody_elses(what)
        return
    st.session_state[key] = found.shared  # each time: the file is the truth, the switch only shows it
    st.toggle(
        "Everybody invited may see it",
        key=key,
        on_change=_share,
        args=(workspace, folder, key),
        help=f"Otherwise only you see this {what}. Others can use it{goes_along}, but not change or delete it.",
    )


def somebody_elses(what: str) -> None:
    """Show that a thing is shared by another person."""
    st.caption(f":material/group: Somebody else's {what}: you can use it, and only they can change it.")


@error_boundary()
def _share(workspace: Workspace, folder: Path, key: str) -> None:
    share(workspace, folder, st.session_state[key])
