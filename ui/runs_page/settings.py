"""A run's own configuration: in words to read, as text to keep."""

from __future__ import annotations

import streamlit as st

from tl_core.config.format_settings import format_settings
from tl_core.runs import RunRecord
from tl_core.runs.progress import trained_config
from ui.components.markdown import plain
from ui.state.config_text import to_text


def run_settings(run: RunRecord, key: str) -> None:
    """Draw the configuration with the epochs that were trained, whatever the form holds now."""
    with st.grid(2, min_column_width=320, gap="large"):
        for title, rows in format_settings(trained_config(run)).items():
            with st.container(gap="xsmall"):
                st.markdown(f"**{title}**")
                shown = {label: plain(value) for label, value in rows.items()}
                st.table(shown, border="horizontal", alt=f"{title}: settings of this run")
    st.download_button(
        "Download the settings",
        to_text(run.config),
        f"{run.id}-settings.json",
        "application/json",
        key=f"{key}-download",
        icon=":material/download:",
        on_click="ignore",
        help="Every setting as text. The Train page can load it again.",
    )
