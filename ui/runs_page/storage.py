"""Freeing disk space: the cache of trainings, and old runs while the workspace is nearly full."""

from __future__ import annotations

import contextlib
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
from ui.components.confirm import confirm
from ui.components.markdown import plain

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
            f"Cache: {size(taken)} of {size(cache.limit_bytes)}.",
            width="content",
            help="Resized images and the output of frozen backbones, so that the next training starts sooner. The "
            "least recently used is deleted first.",
        )
        confirm(
            "Free this space",
            ":material/mop:",
            f"**Empty the cache of {size(taken)}?** Datasets, runs and models stay.",
            "Empty the cache",
            cache.clear,
            key=f"{key}-free",
            note="The next training on each dataset takes a little longer to start.",
            disabled=not taken,
        )


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
            help="When it is full, no images can be added and no training can be started.",
        )
        how_many = count(len(old), "run")
        total = size(sum(taken for _, taken in old))
        shown = [f"- {plain(run.name)}, {moment(run.created)}, {size(taken)}" for run, taken in old[:NAMED]]
        more = [f"- and {len(old) - NAMED} more"] if len(old) > NAMED else []
        question = f"**Delete {how_many} with curves and models, {total}?** A run with a star stays."
        confirm(
            "Delete old runs",
            ":material/auto_delete:",
            "\n".join([question, "", *shown, *more]),
            f"Delete {how_many}",
            _delete_all,
            workspace,
            tuple(run.id for run, _ in old),
            key=f"{key}-old",
            disabled=not old,
        )


def _to_delete(runs: Sequence[RunRecord], excess: int) -> list[tuple[RunRecord, int]]:
    """The oldest runs without a star, with their bytes: as many as have to go; never the newest that has ended."""
    ended = [run for run in runs if run.status in _ENDED]
    oldest = [run for run in reversed(ended[1:]) if not run.starred]
    sizes = [folder_bytes(run.path) for run in oldest]
    return list(zip(oldest, sizes, strict=True))[: enough_of(sizes, excess)]


def _delete_all(workspace: Workspace, run_ids: Sequence[str]) -> None:
    try:
        for run_id in run_ids:
            with contextlib.suppress(RunNotFoundError):  # somebody else was faster
                run = find_run(workspace, run_id)
                # A star given since then counts.
                if run.status in _ENDED and not run.starred and is_mine(workspace, run.path):
                    delete_run(workspace, run_id)
                    logger.info("Deleted on request, to make room: %s", run_id)
    finally:
        forget_usage(workspace)
