"""How a Plotly chart stands on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st
from streamlit.elements.lib.streamlit_plotly_theme import GRAY_90

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Streamlit draws a figure's text in a grey that is too faint to read on a coloured ground. This placeholder it
# replaces, in the browser, by the text colour of the theme in use, also when somebody changes the theme.
INK: Final[str] = GRAY_90


def chart(figure: go.Figure, alt: str, key: str, **config: Any) -> None:
    """Draw a figure whose text has the colour `INK`; ``alt`` says what it shows, ``config`` is Plotly's."""
    st.plotly_chart(figure, key=key, config={"displaylogo": False, **config}, alt=alt)
