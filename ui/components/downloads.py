"""Download buttons, and tables as CSV text that every spreadsheet opens as it is meant."""

from __future__ import annotations

import csv
import io
import mimetypes
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal

import streamlit as st

mimetypes.add_type("application/x-ipynb+json", ".ipynb")

_FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")


def download(
    label: str,
    data: str | bytes | Callable[[], str | bytes],
    file_name: str,
    *,
    key: str | None = None,
    help: str | None = None,
    icon: str = ":material/download:",
    kind: Literal["primary", "secondary"] = "secondary",
) -> None:
    """Draw a button that hands over a file and leaves the page as it is.

    ``data`` may be a function, called when somebody presses it, for what takes long to make: Streamlit gives it a new
    address each time the page is drawn, so that a press at that very moment fails and has to be repeated. What is
    ready is given as it is, and its address stays. The ending of the file's name decides the MIME type.
    """
    mime = mimetypes.guess_type(file_name)[0]
    st.download_button(label, data, file_name, mime, key=key, help=help, on_click="ignore", type=kind, icon=icon)


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """The table as UTF-8 with a byte-order mark for spreadsheets, one line per row.

    Text that a spreadsheet would run as a formula gets an apostrophe in front, as names of classes and files come
    from outside (OWASP, CSV injection, https://owasp.org/www-community/attacks/CSV_Injection).
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_safe(name) for name in columns])
    writer.writerows([_safe(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_SIGNS) else value
