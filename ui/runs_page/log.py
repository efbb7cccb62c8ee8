"""The technical log of a run, for the person who is asked what went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

from tl_core.runs import RunRecord

SHOWN_BYTES: Final = 20_000  # of the end of the log
HEIGHT: Final = 320  # px


def run_log(run: RunRecord, key: str) -> None:
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
    st.download_button(
        "Download the log",
        path.read_bytes,
        f"{run.id}-log.txt",
        "text/plain",
        key=f"{key}-download",
        icon=":material/download:",
        on_click="ignore",
    )


def log_end(path: Path, size: int) -> tuple[str, bool]:
    """The last whole lines of a text file, at most ``size`` bytes, and whether something was left out."""
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(max(0, length - size))
        data = file.read()
    if length > size:
        data = data[data.find(b"\n") + 1 :]
    return data.decode("utf-8", errors="replace"), length > size
