"""Releasing the uploads of closed browser tabs, also while nobody visits.

Streamlit remembers a closed tab for ``server.disconnectedSessionTTL`` seconds, with all it has uploaded, but forgets
it only when the next tab is opened or closed: https://github.com/streamlit/streamlit/issues/5806.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import logging
import sys
from typing import Any, Final

import streamlit as st
from streamlit import runtime

logger = logging.getLogger(__name__)

LEAST_SECONDS: Final = 1.0  # between two looks


@functools.cache
def forget_closed_tabs() -> None:
    """Begin to forget closed tabs in time; may be called any number of times, and does nothing without a server."""
    if not runtime.exists():
        return
    server: Any = runtime.get_instance()
    try:  # what forgets the tabs whose time is over, and its loop: there is no public way to either
        loop, expire = server._get_async_objs().eventloop, server._session_mgr._session_storage._cache.expire
    except (AttributeError, RuntimeError):
        logger.warning("This version of Streamlit may keep the uploads of closed tabs in memory for a while.")
        return
    seconds = max(LEAST_SECONDS, float(st.get_option("server.disconnectedSessionTTL")))

    def look_again() -> None:
        loop.call_later(seconds, look_again)
        if closed := expire():
            for _, tab in closed:  # the loop still refers to the tab that it served last
                tab.session.shutdown()
                tab.session.session_state.clear()
            loop.run_in_executor(None, _give_back_memory)  # everybody is served by the loop, and would wait for it

    loop.call_soon_threadsafe(look_again)  # in the server's own loop, where Streamlit itself changes its sessions


def _give_back_memory() -> None:
    """Free what the forgotten tabs held; a fraction of a second, and only after one was forgotten."""
    gc.collect()  # a tab refers to itself in circles
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library than GNU's has no such function
            ctypes.CDLL(None).malloc_trim(0)  # else freed memory stays with the process: see malloc_trim(3)
