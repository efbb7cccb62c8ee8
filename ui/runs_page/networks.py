"""What pretrained networks take on the disk, and choosing which of them may go."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import streamlit as st

from tl_core.backbones.networks import list_networks
from tl_core.export.browser.library import TENSORFLOW_JS
from tl_core.imported_models.networks.kept import (
    bytes_of,
    clear_weights,
    downloaded_weights,
    kept_networks,
    remove_network,
)
from tl_core.storage.format import count, size
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.shell.access.protection import for_this_machine_alone
from ui.shell.errors import error_boundary

logger = logging.getLogger(__name__)

_WEIGHTS_NOTE: Final = (
    "Downloaded again when a training or an export needs them, which takes a network. Other programs that use Keras "
    "find some of them in the same folder."
)


def networks_section(workspace: Workspace, key: str) -> None:
    """Draw how much brought networks and downloaded weights take, and a list in which to choose what may go; nothing
    where there is none."""
    brought, files = list_networks(workspace), downloaded_weights(workspace, (TENSORFLOW_JS.file,))
    if not brought and not files:
        return
    taken = sum(network.size for network in brought) + bytes_of(files)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"Pretrained networks: {size(taken)}.",
            width="content",
            help="Networks that were brought, and weights that were downloaded for backbones of the list.",
        )
        turn = f"{key}-turn"  # counts the answers: a popover with a new key is closed
        panel = st.popover(
            "Choose what to delete",
            icon=":material/mop:",
            key=f"{key}-{st.session_state.get(turn, 0)}",
            on_change="rerun",
        )
        if panel.open:
            with panel, error_boundary():
                _choose(workspace, files, key, turn)


def _choose(workspace: Workspace, files: Sequence[Path], key: str, turn: str) -> None:
    chosen = []
    for entry in kept_networks(workspace):
        name = entry.network.id
        label = f"{plain(entry.network.title)}, {size(entry.size, digits=1)}"
        if st.checkbox(label, key=f"{key}-{name}", disabled=entry.at_work):
            chosen.append(name)
        st.caption(entry.cost)
    weights = _choose_weights(files, f"{key}-weights")
    st.button("Keep all", key=f"{key}-no", width="stretch", on_click=_close, args=(turn,))
    st.button(
        "Delete what is ticked",
        key=f"{key}-yes",
        width="stretch",
        disabled=not (chosen or weights),
        on_click=_delete,
        args=(workspace, tuple(chosen), tuple(weights), turn),
    )


def _choose_weights(files: Sequence[Path], key: str) -> Sequence[Path]:
    """The downloaded files, if they may go."""
    if not files:
        return ()
    alone = for_this_machine_alone()
    label = f"Downloaded weights, {count(len(files), 'file')}, {size(bytes_of(files), digits=1)}"
    ticked = st.checkbox(label, key=key, disabled=not alone)
    st.caption(_WEIGHTS_NOTE if alone else "Whoever runs this dashboard has filled this folder, and empties it.")
    return files if ticked and alone else ()


@error_boundary()
def _delete(workspace: Workspace, names: Sequence[str], files: Sequence[Path], turn: str) -> None:
    _close(turn)
    for name in names:
        removed = remove_network(workspace, name)
        logger.info("Deleted on request: the network %s (%s)", name, removed.network.origin)
    clear_weights(workspace, files)


def _close(turn: str) -> None:
    st.session_state[turn] = st.session_state.get(turn, 0) + 1
