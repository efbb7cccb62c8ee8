"""Showing a page from its top again when its content has been exchanged."""

from __future__ import annotations

from typing import Final

import streamlit as st

# Streamlit keeps the place that was scrolled to; after a long form that would be somewhere below what comes next.
_SCRIPT: Final = """
export default function ({ data, parentElement }) {
  const place = parentElement.host ?? parentElement
  if (place.dataset.shown === data.content) return
  place.dataset.shown = data.content
  place.scrollIntoView({ block: "center" })
}
"""

_MOUNT: Final = st.components.v2.component("scroll_to_here", js=_SCRIPT)


def show_from_here(content: str, *, key: str) -> None:
    """Scroll to this place, once for each ``content`` that comes to stand here."""
    _MOUNT(key=key, data={"content": content}, height=1)
