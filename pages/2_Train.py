"""Train: configure a training, start it, and watch it."""

import streamlit as st

from tl_core.runs import run_exists
from ui.frame.page import page_setup
from ui.shell.navigation import RUNS, TRAIN, page_link
from ui.train_page.form import open_from_link, training_form, watch_run

ASK = "What should the model learn, and how?"

run_id = st.query_params.get("run")
with page_setup("Train", ":material/model_training:", lead=ASK if run_id is None else None) as workspace:
    if run_id is None:
        open_from_link(workspace)
        training_form(workspace)
    elif run_exists(workspace, run_id):
        watch_run(workspace, run_id)
    else:
        st.info("There is no run of this id here: it may have been deleted.", icon=":material/link_off:")
        page_link(RUNS, "See all runs")
        page_link(TRAIN, "Train again")
