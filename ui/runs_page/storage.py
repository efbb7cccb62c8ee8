"""Freeing disk space: the cache of trainings, and old runs while the workspace is nearly full."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import streamlit as st

from tl_core.errors import RunNotFoundError
from tl_core.features.cache import open_cache
from tl_core.runs import RunRecord, delete_run, find_run
from tl_core.storage.format import count, moment, size
from tl_core.storage.ownership import is_mine
from tl_core.storage.quota import enough_of, folder_bytes, forget_usage, recent_usage
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.shell.errors import error_boundary

logger = logging.getLogger(__name__)

NAMED: Final = 10  # runs that are named one by one
_ENDED: Final = frozenset({"done", "stopped", "failed"})  # an interrupted one may still be resumed


def cache_section(workspace: Workspace, key: str) -> None:
    """Draw how much the cache takes, and a button that empties it after asking.

    Raises:
        ConfigError: the operator has set a bound that is no number.
    """
    cache = open_cache(workspace)
    taken = cache.size_bytes()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"Cache for the next trainings: {size(taken)} of at most {size(cache.limit_bytes)}.",
            width="content",
            help="Resized images and the output of frozen backbones. The least recently used is deleted first.",
        )
        with st.popover("Free this space", icon=":material/mop:", disabled=not taken, key=f"{key}-free"):
            st.markdown(f"**Delete {size(taken)} that trainings have kept?** Datasets, runs and models stay.")
            st.caption("The next training on each dataset runs the frozen backbone over its images again.")
            if st.button("Delete it", key=f"{key}-free-yes", width="stretch"):
                cache.clear()
                st.rerun()


def offer_old_runs(workspace: Workspace, runs: Sequence[RunRecord], key: str) -> None:
    """Draw nothing at all, or how full the workspace is and a button that asks whether old runs may go.

    Args:
        workspace: whose quota counts.
        runs: all runs, newest first.
        key: names the offer on its page.

    Raises:
        ConfigError: ``TL_WORKSPACE_GB`` is no number.
    """
    found = recent_usage(workspace)
    if not found.nearly_full:
        return
    old = _to_delete([run for run in runs if is_mine(workspace, run.path)], found.excess)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"The workspace is nearly full: {size(found.total)} of {size(found.limit)}.",
            width="content",
            help="When it is full, no images can be brought and no training can be started.",
        )
        with st.popover("Delete old runs", icon=":material/auto_delete:", disabled=not old, key=f"{key}-old"):
            _ask(workspace, old, key)


def _to_delete(runs: Sequence[RunRecord], excess: int) -> dict[str, tuple[RunRecord, int]]:
    """The oldest runs without a star, with their bytes: as many as have to go; never the newest that has ended."""
    ended = [run for run in runs if run.status in _ENDED]
    oldest = [run for run in reversed(ended[1:]) if not run.starred]
    sizes = [folder_bytes(run.path) for run in oldest]
    wanted = enough_of(sizes, excess)
    return {run.id: (run, taken) for run, taken in zip(oldest[:wanted], sizes[:wanted], strict=True)}


def _ask(workspace: Workspace, old: dict[str, tuple[RunRecord, int]], key: str) -> None:
    total = sum(taken for _, taken in old.values())
    runs = count(len(old), "run")
    st.markdown(f"**Delete {runs} with curves and models, {size(total)}?** A run with a star stays.")
    shown = [
        f"- {plain(run.name)}, {moment(run.created)}, {size(taken)}" for run, taken in list(old.values())[:NAMED]
    ]
    more = [f"- and {len(old) - NAMED} more"] if len(old) > NAMED else []
    st.markdown("\n".join([*shown, *more]))
    # A callback gets the runs that were shown, whatever has happened to the list since.
    st.button(
        f"Delete {runs}", key=f"{key}-old-yes", width="stretch", on_click=_delete_all, args=(workspace, tuple(old))
    )


def _delete_all(workspace: Workspace, run_ids: Sequence[str]) -> None:
    with error_boundary():
        for run_id in run_ids:
            _delete(workspace, run_id)
    forget_usage(workspace)


def _delete(workspace: Workspace, run_id: str) -> None:
    try:
        run = find_run(workspace, run_id)
    except RunNotFoundError:
        return  # somebody else was faster
    if run.status in _ENDED and not run.starred and is_mine(workspace, run.path):  # a star given since then counts
        delete_run(workspace, run_id)
        logger.info("Deleted on request, to make room: %s", run_id)
