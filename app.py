"""Home: what this is, where to begin, what is running, and what it runs on; and the server of all pages."""

import streamlit as st

from tl_core.data import list_datasets
from tl_core.jobs import manager
from tl_core.machine.hardware import detect_hardware
from tl_core.runs import list_runs
from tl_core.storage.workspace import Workspace
from ui.frame.page import page_setup
from ui.home_page.activity import show_activity, show_last_runs
from ui.home_page.first_steps import show_first_steps
from ui.home_page.go_on import photo_box, show_model
from ui.shell.access.endpoints import guarded
from ui.shell.access.gate import who_sees
from ui.shell.access.protection import require_protection
from ui.shell.navigation import HOME
from ui.shell.page_start import page_starts
from ui.state.current import remembered

LEAD = (
    "Teach the computer to tell your pictures apart, without writing code. It begins with a network that has already "
    "learned to see from a million photographs, and learns only what is new in yours: this is called *transfer "
    "learning*. A few dozen pictures of each kind and a few minutes are often enough."
)

if __name__ == "__main__":  # drawn for a visitor
    with page_setup("Transfer learning", HOME.icon) as workspace:
        runs = list_runs(workspace)
        current = next((run for run in runs if run.id == remembered().run), None)
        if current is None:
            st.markdown(LEAD)
            show_first_steps(has_data=bool(list_datasets(workspace)))
            show_activity(workspace, runs)
            show_last_runs(runs)
        else:
            left, right = st.columns(2, gap="medium")
            with left:
                show_model(current)
            with right:
                photo_box(current)
            show_activity(workspace, runs)
            show_last_runs(runs)
        st.space("small")
        with st.container(gap="xxsmall"):
            st.caption(f":material/memory: This machine: {detect_hardware().summary}.")
            st.caption(f":material/lock: Your images stay on this machine. They are not sent anywhere. {who_sees()}")
else:  # imported by `streamlit run app.py`: this is the server, which draws the same file as its first page
    require_protection()
    manager(Workspace.from_environment()).open()
    app = st.App(__file__, middleware=[*guarded(), *page_starts()])
