"""What the workspace keeps so that the next training starts sooner, and the way to free that space."""

from __future__ import annotations

import streamlit as st

from tl_core.features.cache import open_cache
from tl_core.format import size
from tl_core.storage.workspace import Workspace


def cache_section(workspace: Workspace, key: str) -> None:
    """Draw how much the cache takes, and a button that empties it after asking.

    Raises:
        ConfigError: the operator has set a bound that is no number.
    """
    cache = open_cache(workspace)
    taken = cache.size_bytes()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"Kept to start the next training sooner: {size(taken)} of at most {size(cache.limit_bytes)}.",
            width="content",
            help="Resized images and what frozen backbones said about them. The least recently used goes first.",
        )
        with st.popover("Free this space", icon=":material/mop:", disabled=not taken, key=f"{key}-free"):
            st.markdown(f"**Delete {size(taken)} that trainings have kept?** Datasets, runs and models stay.")
            st.caption("The next training on each dataset runs the frozen backbone over its images again.")
            if st.button("Delete it", key=f"{key}-free-yes", width="stretch"):
                cache.clear()
                st.rerun()
