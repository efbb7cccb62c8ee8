"""Classes of images that lie in no class folders: from a table beside them, or from their names.

A table is a CSV file with a column of file names and one of classes. Names are understood as ``cat.0.jpg`` and
``cat_12.jpg``, or as ``0001_cat.jpg``. Nothing is guessed: every image has to be told, each class has two at least,
and names that cameras give are no classes.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from tl_core.data.imports.sources import SourceFile

MAX_CLASSES: Final = 1000
MIN_IMAGES: Final = 2  # of each class
TABLES: Final = (".csv", ".tsv")

_LABEL_HEADS: Final = ("label", "class", "category", "target", "species", "breed", "tag", "labels", "classes")
_CAMERA_NAMES: Final = frozenset(
    {"img", "image", "dsc", "dscn", "dscf", "dscimg", "pict", "picture", "pic", "photo", "p", "pxl", "mvimg", "gopr"}
    | {"screenshot", "scan", "frame", "file", "foto", "bild", "untitled", "vid", "snapshot", "whatsapp", "signal"}
)
_NUMBERED = re.compile(r"^(?P<name>.*?[^\W\d_].*?)[\s._-]*\(?\d+\)?$")
_LAST_WORD = re.compile(r"^.+[\s._-](?P<name>[^\W\d_]+)$")


def is_table_name(name: str) -> bool:
    """Whether a file of this name may be a table of labels."""
    return PurePosixPath(name).suffix.lower() in TABLES


def labels_from_tables(tables: Sequence[SourceFile], pictures: Sequence[SourceFile]) -> dict[SourceFile, str] | None:
    """The class of each picture that a table names; None where no table tells of most of them."""
    for table in tables:
        if found := _labels_from_table(table, pictures):
            return found
    return None


def labels_from_names(pictures: Sequence[SourceFile]) -> dict[SourceFile, str] | None:
    """The class of each picture by its name; None where the names tell of no classes."""
    for class_in in _PATTERNS:
        found = {file: class_in(PurePosixPath(file.parts[-1]).stem.strip()) for file in pictures}
        if labels := _credible(found):
            return labels
    return None


def _numbered(stem: str) -> str | None:
    match = _NUMBERED.match(stem)
    return match["name"] if match else None


def _last_word(stem: str) -> str | None:
    match = _LAST_WORD.match(stem)
    return match["name"] if match else None


_PATTERNS: Final[tuple[Callable[[str], str | None], ...]] = (_numbered, _last_word)


def _credible(found: Mapping[SourceFile, str | None]) -> dict[SourceFile, str] | None:
    labels = {file: label for file, label in found.items() if label}
    counts = Counter(labels.values())
    camera = any(re.split(r"[\s._-]", label.casefold())[0] in _CAMERA_NAMES for label in counts)
    sound = len(labels) == len(found) and 2 <= len(counts) <= MAX_CLASSES and min(counts.values()) >= MIN_IMAGES
    return labels if sound and not camera else None


def _labels_from_table(table: SourceFile, pictures: Sequence[SourceFile]) -> dict[SourceFile, str] | None:
    rows = _rows(table.read())
    if len(rows) < 2:
        return None
    by_name = {name: file for file in pictures for name in _names(file)}
    columns = range(max(map(len, rows)))

    def named(column: int) -> int:
        return sum(len(row) > column and row[column].strip().casefold() in by_name for row in rows)

    files = max(columns, key=named)
    if 2 * named(files) < len(pictures):
        return None
    label = _label_column(rows, [column for column in columns if column != files])
    if label is None:
        return None
    return {
        by_name[name]: row[label].strip()
        for row in rows
        if len(row) > max(files, label) and (name := row[files].strip().casefold()) in by_name and row[label].strip()
    }


def _label_column(rows: Sequence[Sequence[str]], others: Sequence[int]) -> int | None:
    """The column that its head calls a label; else the only one besides the names."""
    heads = [cell.strip().casefold() for cell in rows[0]]
    called = [column for column in others if column < len(heads) and heads[column] in _LABEL_HEADS]
    if called:
        return called[0]
    return others[0] if len(others) == 1 else None


def _names(file: SourceFile) -> tuple[str, ...]:
    """How a table may name a file: its path, its name, both with and without the suffix."""
    path, name = "/".join(file.parts).casefold(), file.parts[-1].casefold()
    inner = "/".join(file.parts[-2:]).casefold()
    return (path, inner, name, PurePosixPath(name).stem)


def _rows(content: bytes) -> list[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        return [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row]
    except csv.Error:
        return []
