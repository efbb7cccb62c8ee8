"""Train: choose what to learn and how, start, and watch."""

import streamlit as st

from ui.page import page_setup
from ui.run_panel import run_panel
from ui.training_form import new_training, open_from_link, training_form

with page_setup("Train", ":material/model_training:", lead="What shall the model learn, and how?") as workspace:
    run_id = st.query_params.get("run")
    if run_id is None:
        open_from_link(workspace)
        training_form(workspace)
    else:
        st.button("New training", icon=":material/add:", on_click=new_training, args=(workspace, run_id))
        run_panel(workspace, run_id)
