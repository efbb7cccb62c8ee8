"""Serving ``plotly.min.js`` from the installed plotly package, so that the chart needs no network."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Final

from tl_core.errors import WorkspaceError
from tl_core.storage.files import write_bytes

STATIC: Final = Path(__file__).resolve().parents[3] / "static"  # what Streamlit serves as app/static/


@functools.cache
def bundle_url() -> str:
    """Address of the bundle, relative to the page; the file is put into ``static/`` if it is not there.

    The version is part of the name, so that a browser never keeps an old one.

    Raises:
        WorkspaceError: ``static/`` beside ``app.py`` cannot be written.
    """
    name = f"plotly-{importlib.metadata.version('plotly')}.min.js"
    target, source = STATIC / name, _package_folder() / "package_data" / "plotly.min.js"
    if not target.is_file() or target.stat().st_size != source.stat().st_size:
        write_bytes(target, source.read_bytes())
    return f"app/static/{name}"


def _package_folder() -> Path:
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise WorkspaceError("The package plotly is not installed: run pip install -r requirements.txt.")
    return Path(found.origin).parent
