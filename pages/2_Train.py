"""Train: configure a training, start it, and watch it."""

import streamlit as st

from tl_core.runs import run_exists
from ui.frame.page import page_setup
from ui.search_page.begin import search_list
from ui.search_page.view import search_view
from ui.shell.navigation import RUNS, SEARCH, TRAIN, page_button
from ui.train_page.form import open_from_link, training_form, watch_run

ASK = "What should the model learn, and how?"
FIND = "Which of many models is the best, and how sure is that?"

run_id, search_id = st.query_params.get("run"), st.query_params.get(SEARCH)
lead = FIND if search_id else ASK if run_id is None else None
with page_setup("Train", ":material/model_training:", lead=lead) as workspace:
    if search_id:
        search_view(workspace, search_id)
    elif run_id is None:
        open_from_link(workspace)
        training_form(workspace)
        search_list(workspace)
    elif run_exists(workspace, run_id):
        watch_run(workspace, run_id)
    else:
        st.info("There is no run of this id here: it may have been deleted.", icon=":material/link_off:")
        with st.container(horizontal=True):
            page_button(TRAIN, "Train a model")
            page_button(RUNS, "See all runs", primary=False)
