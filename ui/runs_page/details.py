"""One run, opened: how good it is, its curves, and what can be done with it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import streamlit as st

from tl_core.config.format_settings import format_settings
from tl_core.runs import RunRecord, annotate_run, delete_run, find_run, list_runs
from tl_core.runs.annotations import MAX_NAME_LENGTH, MAX_NOTES_LENGTH, MAX_TAGS, tags_of
from tl_core.runs.progress import trained_config
from tl_core.runs.tracking.sent import sent_of
from tl_core.storage.format import size
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.confirm import confirm
from ui.components.downloads import download
from ui.components.markdown import plain
from ui.components.run.run_panel import run_panel
from ui.components.run_format import run_line
from ui.components.sharing import sharing_switch, somebody_elses
from ui.runs_page.export import code_of_run, pack_model, take_elsewhere
from ui.shell.errors import error_boundary
from ui.shell.navigation import TRAIN, go_to
from ui.state.config_text import to_text
from ui.state.training_draft import draft

NOTES_HEIGHT: Final = 100  # px
SHOWN_BYTES: Final = 20_000  # of the end of the log
HEIGHT: Final = 320  # px


def run_details(workspace: Workspace, run_id: str, key: str) -> None:
    """Draw one run with all that belongs to it; its id may come from outside (a link).

    Raises:
        RunNotFoundError: there is no such run.
    """
    run = find_run(workspace, run_id)
    key = f"{key}-{run.id}"
    st.header(f"{'★ ' if run.starred else ''}{plain(run.name)}", anchor=False)
    st.caption(run_line(run))
    _in_mlflow(run)
    mine = is_mine(workspace, run.path)
    if not mine:
        somebody_elses("run")
    run_panel(workspace, run.id, key=key, named=False)
    st.space("small")
    _actions(workspace, run, key, mine=mine)
    if mine:
        sharing_switch(workspace, run.path, "run", f"{key}-share", " with its model and its images")
        _notes(workspace, run, key)
        _tags(workspace, run, f"{key}-tags")
    if run.has_model and not run.active:
        with st.expander("Export the model", icon=":material/ios_share:"), error_boundary():
            take_elsewhere(run, f"{key}-export")
    with st.expander("The code of this run", icon=":material/code:"), error_boundary():
        code_of_run(run, f"{key}-code")
    with st.expander("Settings of this run", icon=":material/tune:"), error_boundary():
        _settings(run, f"{key}-settings")
    with st.expander("Technical log", icon=":material/terminal:"), error_boundary():
        _log(run, f"{key}-log")


def _in_mlflow(run: RunRecord) -> None:
    """Draw where it is in MLflow, and what is missing there; nothing where it was never sent."""
    sent = sent_of(run.folder)
    if sent.page:
        st.caption(f"[Open it in MLflow]({sent.page})")
    if sent.problem is not None:
        st.caption(f":material/warning: {plain(sent.problem)}")


def _actions(workspace: Workspace, run: RunRecord, key: str, *, mine: bool) -> None:
    with st.container(horizontal=True), error_boundary():
        if run.has_model:
            megabytes = size(run.folder.model_file.stat().st_size, digits=1)
            download(
                "Download the model",
                partial(pack_model, run),  # packed when it is asked for, not each time the page is drawn
                f"{run.short_id}.zip",
                key=f"{key}-download",
                help=f"A zip with best.keras ({megabytes}) and its class names. This file alone answers every "
                "picture: “unlike anything it was taught” and “I don't know” come only with *Export the model*.",
            )
        if mine and st.button("Unstar" if run.starred else "Star", key=f"{key}-star", icon=":material/star:"):
            annotate_run(workspace, run.id, starred=not run.starred)
            st.rerun()
        if mine:
            _rename(workspace, run, key)
        if st.button(
            "Train again",
            key=f"{key}-again",
            icon=":material/model_training:",
            help="Opens the training form with the settings of this run, to change one of them and compare.",
        ):
            draft().fill(run.config, run.dataset_id, parent=run.id)
            go_to(TRAIN)
        if mine and not run.active:
            confirm(
                "Delete",
                ":material/delete:",
                "**Delete this run?** Its curves, its notes and its model will be gone for good.",
                "Delete for good",
                _delete,
                workspace,
                run.id,
                key=f"{key}-delete",
            )


def _rename(workspace: Workspace, run: RunRecord, key: str) -> None:
    with (
        st.popover("Rename", icon=":material/edit:", key=f"{key}-rename"),
        st.form(f"{key}-rename-form", border=False),
        error_boundary(),
    ):
        name = st.text_input("Name of the run", run.name, max_chars=MAX_NAME_LENGTH, key=f"{key}-name")
        if st.form_submit_button("Save the name", width="stretch"):
            annotate_run(workspace, run.id, name=name)
            st.rerun()


def _delete(workspace: Workspace, run_id: str) -> None:
    delete_run(workspace, run_id)
    del st.query_params["run"]


@error_boundary()
def _notes(workspace: Workspace, run: RunRecord, key: str) -> None:
    text = st.text_area(
        "Notes",
        run.notes,
        height=NOTES_HEIGHT,
        max_chars=MAX_NOTES_LENGTH,
        placeholder="What was tried, and what came of it",
        help="Saved as soon as you leave the box.",
        key=f"{key}-notes",
    )
    if text is not None and text != run.notes:
        annotate_run(workspace, run.id, notes=text)


def _tags(workspace: Workspace, run: RunRecord, key: str) -> None:
    st.session_state[key] = list(run.tags)  # before it is drawn: the run is the truth
    st.multiselect(
        "Tags",
        tags_of([run, *list_runs(workspace)]),
        key=key,
        on_change=_keep_tags,
        args=(workspace, run, key),
        max_selections=MAX_TAGS,
        accept_new_options=True,
        placeholder="Add a word",
        help="Short words of your own, such as “baseline” or “group 3”. The list of runs shows them and finds runs "
        "by them.",
    )


@error_boundary()
def _keep_tags(workspace: Workspace, run: RunRecord, key: str) -> None:
    annotate_run(workspace, run.id, tags=st.session_state[key])


def _settings(run: RunRecord, key: str) -> None:
    """Draw the configuration with the epochs that were trained, whatever the form holds now."""
    if run.members:
        st.caption(
            f"The model is the mean of {1 + len(run.members)} networks, each on images of its own size. These are "
            "the settings of the first, whose curves are shown; the code has those of all."
        )
    with st.grid(2, min_column_width=320, gap="large"):
        for title, rows in format_settings(trained_config(run)).items():
            with st.container(gap="xsmall"):
                st.markdown(f"**{title}**")
                shown = {label: plain(value) for label, value in rows.items()}
                st.table(shown, border="horizontal", alt=f"{title}: settings of this run")
    words = "Every setting as text. The Train page can load it again."
    download(
        "Download the settings", to_text(run.config), f"{run.id}-settings.json", key=f"{key}-download", help=words
    )


def _log(run: RunRecord, key: str) -> None:
    """Draw the end of the log, the versions it ran with, and a button that downloads all of the log."""
    if run.versions:
        st.caption("Ran with " + ", ".join(f"{name} {version}" for name, version in run.versions.items()) + ".")
    path = run.folder.log_file
    if not path.is_file():
        st.caption("This run has written no log.")
        return
    text, cut = log_end(path, SHOWN_BYTES)
    if cut:
        st.caption("The end of the log; the download has all of it.")
    st.code(text, language=None, height=HEIGHT)
    download("Download the log", path.read_bytes, f"{run.id}-log.txt", key=f"{key}-download")


def log_end(path: Path, size: int) -> tuple[str, bool]:
    """The last whole lines of a text file, at most ``size`` bytes, and whether something was left out."""
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(max(0, length - size))
        data = file.read()
    if length > size:
        data = data[data.find(b"\n") + 1 :]
    return data.decode("utf-8", errors="replace"), length > size
