"""Data: import the images to train on, see, check and mend them."""

import streamlit as st

from tl_core.data import Dataset, list_datasets
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.sharing import sharing_switch
from ui.data_page.class_by_class import add_to_dataset
from ui.data_page.faults.audit import show_audit
from ui.data_page.gallery import show_gallery
from ui.data_page.imports import NEW_PANEL, show_imports, take_outcome
from ui.data_page.manage import after_deletion, current_dataset, show_managing, warn_about_dead_link
from ui.data_page.new_dataset import leave_asked_way
from ui.data_page.overview import show_overview
from ui.data_page.photos_needed import show_photos_needed
from ui.data_page.pointing.page import show_labelling
from ui.data_page.upload import upload_images
from ui.frame.page import page_setup
from ui.shell.navigation import DATA, TRAIN, WAY, page_button
from ui.shell.scrolling import show_from_here


def show_dataset(workspace: Workspace, dataset: Dataset) -> None:
    """One dataset, and all that can be done with it."""
    show_from_here(dataset.id, key="data-dataset-top")  # an import may have been begun from far below
    st.header(plain(dataset.name), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        page_button(TRAIN, "Train on these images", dataset=dataset.id)
        show_managing(workspace, dataset)
    if is_mine(workspace, dataset.path):
        with st.expander("Add images to this dataset", icon=":material/add_photo_alternate:"):
            add_to_dataset(workspace, dataset)
    sharing_switch(workspace, dataset.path, "dataset", f"share-{dataset.id}")
    show_overview(workspace, dataset)
    show_gallery(workspace, dataset)
    show_audit(workspace, dataset)
    show_photos_needed(dataset)


with page_setup("Data", DATA.icon, lead="Which images should the model learn from?") as workspace:
    with st.container():  # always there, so that nothing below is drawn again, or stands there twice, when one ends
        importing = show_imports(workspace)
        fresh = take_outcome(workspace)
    datasets = list_datasets(workspace)
    warn_about_dead_link(workspace, fresh)
    if show_labelling(workspace):
        pass
    elif not datasets and not importing:
        st.markdown(
            "There are no images here yet. Choose how to add them; a sample set is the quickest way to begin."
        )
        upload_images(workspace, primary=True)
    elif datasets:
        if WAY in st.query_params:
            st.session_state[NEW_PANEL] = True
        icon = ":material/create_new_folder:"
        with st.expander("New dataset", icon=icon, key=NEW_PANEL, on_change=leave_asked_way):
            upload_images(workspace, primary=False)
        if not after_deletion(datasets):
            show_dataset(workspace, current_dataset(datasets, fresh))
