"""Classes of images that lie in no class folders: from a table beside them, or from their names.

A table is a CSV file with one or several columns of file names, and one of classes, or one for each class that holds
1 where it is that. Names are understood as ``cat.0.jpg`` and
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

_LABEL_HEADS: Final = ("label", "class", "category", "target", "species", "breed", "tag", "labels", "classes")
_CAMERA_NAMES: Final = frozenset(
    {"img", "image", "dsc", "dscn", "dscf", "dscimg", "pict", "picture", "pic", "photo", "p", "pxl", "mvimg", "gopr"}
    | {"screenshot", "scan", "frame", "file", "foto", "bild", "untitled", "vid", "snapshot", "whatsapp", "signal"}
)
_NUMBERED = re.compile(r"^(?P<name>.*?[^\W\d_].*?)[\s._-]*\(?\d+\)?$")
_LAST_WORD = re.compile(r"^.+[\s._-](?P<name>[^\W\d_]+)$")


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
        told = {row[column].strip().casefold() for row in rows if len(row) > column}
        return len({by_name[name] for name in told if name in by_name})

    counts = {column: named(column) for column in columns}
    files = [column for column in columns if counts[column] and 2 * counts[column] >= max(counts.values())]
    if 2 * sum(counts[column] for column in files) < len(pictures):
        return None
    others = [column for column in columns if column not in files]
    labels = _labels_of_rows(rows, others)
    return {
        by_name[name]: label
        for row, label in zip(rows, labels, strict=True)
        for column in files  # each picture of a row is one of its class
        if label and len(row) > column and (name := row[column].strip().casefold()) in by_name
    } or None


def _labels_of_rows(rows: Sequence[Sequence[str]], others: Sequence[int]) -> list[str]:
    """The class of each row: in the column of classes, or the head of the one column with a 1; "" for none."""
    column = _label_column(rows, others)
    if column is not None:
        return [row[column].strip() if len(row) > column else "" for row in rows]
    marks = [[row[other].strip() if len(row) > other else "" for other in others] for row in rows[1:]]
    if others and all(sorted(set(row)) in (["0", "1"], ["0"]) for row in marks):
        heads = [rows[0][other].strip() if len(rows[0]) > other else "" for other in others]
        return ["", *(heads[row.index("1")] if row.count("1") == 1 else "" for row in marks)]
    return [""] * len(rows)


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
