"""Runs: every training there has been, and one of them opened."""

import streamlit as st

from ui.frame.page import page_setup
from ui.runs_page.compare import compare_runs, named_in_address
from ui.runs_page.details import run_details
from ui.runs_page.overview import show_all
from ui.shell.navigation import RUNS

with page_setup("Runs", RUNS.icon, lead="How did each training go, and which one is best?") as workspace:
    opened = st.query_params.get("run")
    compared = named_in_address()
    if opened is None and compared is None:
        show_all(workspace)
    else:
        if st.button("All runs", icon=":material/arrow_back:", key="runs-all"):
            st.query_params.clear()
            st.rerun()
        if opened is not None:
            run_details(workspace, opened, key="runs")
        elif compared is not None:
            compare_runs(workspace, compared, key="compare")
