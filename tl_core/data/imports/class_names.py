"""Class and file names from uploads, made safe to show, compare and store (never used as a path)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Final

from tl_core.errors import DataError

MAX_CLASS_NAME: Final = 64  # characters
MAX_FILE_NAME: Final = 200  # characters of a source name that are kept

UNNAMED: Final = "unnamed"

# Marks that turn the reading direction or have no width can make one name look like another. The joiners
# U+200C and U+200D stay: emoji families and Persian words are spelled with them.
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_SPACES = re.compile(r"\s+")


def clean_text(text: str) -> str:
    """One line of NFC text without control characters, direction marks and undecodable bytes."""
    text = "".join(" " if unicodedata.category(mark) in ("Cc", "Zl", "Zp") else mark for mark in text)
    text = text.encode("utf-8", "replace").decode("utf-8")  # file names that are no UTF-8 arrive as lone surrogates
    return unicodedata.normalize("NFC", _SPACES.sub(" ", _INVISIBLE.sub("", text)).strip())


def clean_class_name(name: str) -> str:
    """The label for a folder name: `clean_text`, ``\\`` as ``/``, at most 64 characters, never empty."""
    return _shortened(_comparable(name))


def chosen_class_name(name: str) -> str:
    """The label for a name that somebody has typed; unlike a folder, a person is asked again where it is empty.

    Raises:
        DataError: nothing can be seen of it.
    """
    if not clean_text(name):
        raise DataError(f"A class needs a name that can be read. Received: “{name}”; type at least one letter.")
    return clean_class_name(name)


def clean_file_name(name: str) -> str:
    """A source name to show beside an image: `clean_text`, cut in the middle when it is very long."""
    name = clean_text(name)
    if len(name) <= MAX_FILE_NAME:
        return name
    return f"{name[: MAX_FILE_NAME // 2]}…{name[-(MAX_FILE_NAME // 2 - 1) :]}"


def label_names(names: Iterable[str]) -> dict[str, str]:
    """Map each folder name to its label, so that equal labels mean the same class.

    Two spellings of one name (composed and decomposed accents, stray spaces) share a label; two different
    names keep different labels even where cutting them to 64 characters would make them equal: these lose their
    middle, because where the beginnings are the same it is the endings that tell which is which.
    """
    comparable = {name: _comparable(name) for name in sorted(set(names))}
    alike = Counter(_shortened(full) for full in set(comparable.values()))
    labels: dict[str, str] = {}  # comparable name -> label
    for full in dict.fromkeys(comparable.values()):
        cut = _shortened(full)
        label = _without_middle(full) if full != cut and alike[cut] > 1 else cut
        labels[full] = _unused(label, set(labels.values()))
    return {name: labels[full] for name, full in comparable.items()}


def is_cut(name: str) -> bool:
    """Whether a folder name is too long to be a label as it is."""
    full = _comparable(name)
    return _shortened(full) != full


def clashing_names(classes: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of labels that differ in nothing but upper and lower case."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(unicodedata.normalize("NFC", name.casefold()), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _comparable(name: str) -> str:
    return clean_text(name.replace("\\", "/")) or UNNAMED


def _shortened(name: str) -> str:
    return name[:MAX_CLASS_NAME].strip()


def _without_middle(name: str) -> str:
    half = MAX_CLASS_NAME // 2
    return f"{name[: half - 1].strip()}…{name[-half:].strip()}"


def _unused(label: str, taken: set[str]) -> str:
    candidate, number = label, 2
    while candidate in taken:
        ending = f" ({number})"
        candidate, number = label[: MAX_CLASS_NAME - len(ending)] + ending, number + 1
    return candidate
