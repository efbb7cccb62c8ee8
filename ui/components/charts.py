"""What Plotly charts on several pages have in common."""

from __future__ import annotations

from typing import Final

from streamlit.elements.lib.streamlit_plotly_theme import GRAY_90

# Streamlit draws a figure's text in a grey that is too faint to read on a coloured ground. This placeholder it
# replaces, in the browser, by the text colour of the theme in use, also when somebody changes the theme.
INK: Final[str] = GRAY_90
