"""Showing a page from its top again when its content has been exchanged."""

from __future__ import annotations

from typing import Final, Literal

import streamlit as st

# Streamlit keeps the place that was scrolled to; after a long form that would be somewhere below what comes next.
_SCRIPT: Final = """
const UNFOLDED = 500 // ms
export default function ({ data, parentElement }) {
  const place = parentElement.host ?? parentElement
  if (place.dataset.shown === data.content) return
  place.dataset.shown = data.content
  const show = () => {
    const { top } = place.getBoundingClientRect()
    if (top < 0 || top > window.innerHeight / 2) place.scrollIntoView({ block: data.block })
  }
  show()
  const page = place.closest("[data-testid=stMain]")
  const left = page?.scrollTop
  // What is being unfolded above has its height by then; who has scrolled meanwhile is left where they are.
  setTimeout(() => page?.scrollTop === left && show(), UNFOLDED)
}
"""

_MOUNT: Final = st.components.v2.component("scroll_to_here", js=_SCRIPT)


def show_from_here(content: str, *, key: str, block: Literal["start", "center"] = "center") -> None:
    """Scroll to this place where it is out of sight, once for each ``content`` that comes to stand here.

    Args:
        content: what stands here.
        key: names the place on its page.
        block: where in the window the place then is.
    """
    _MOUNT(key=key, data={"content": content, "block": block}, height=1)
