"""A program in parts, as one Python file or as a Jupyter notebook."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

WIDTH: Final = 110  # characters of a line of comment

# A script takes the folder of the images as its argument.
_FOLDER: Final = 'DATA = Path("data")'
_FOLDER_OR_ARGUMENT: Final = 'DATA = Path(sys.argv[1] if len(sys.argv) > 1 else "data")'


@dataclass(frozen=True, slots=True)
class Cell:
    """One part of a program: a title, a text, and the code."""

    title: str
    text: str
    code: str


def as_script(cells: Sequence[Cell], title: str) -> str:
    """The program as a Python file; ``python FILE.py FOLDER`` trains on the images of that folder."""
    what = f'"""{_harmless(title)}: transfer learning with Keras.   python train.py FOLDER_OF_IMAGES"""\n'
    return "\n\n".join([what.rstrip(), *(_section(cell) for cell in cells)]) + "\n"


def as_notebook(cells: Sequence[Cell], title: str) -> str:
    """The same as a notebook in Jupyter's format 4.5 (https://nbformat.readthedocs.io)."""
    entries = [_markdown("title", f"# {title}")]
    for number, cell in enumerate(cells, start=1):
        entries.append(_markdown(f"text-{number}", f"## {cell.title}\n\n{cell.text}".rstrip()))
        entries.append(_code(f"code-{number}", cell.code.rstrip()))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": entries,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _section(cell: Cell) -> str:
    ruler = f"# {cell.title} ".ljust(WIDTH, "-")
    words = [f"# {line}" for line in textwrap.wrap(cell.text, WIDTH - 2)]
    code = cell.code.rstrip().replace(_FOLDER, _FOLDER_OR_ARGUMENT)
    return "\n".join([ruler, *words, "", code])


def _markdown(name: str, text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text.splitlines(keepends=True)}


def _code(name: str, text: str) -> dict[str, Any]:
    source = text.splitlines(keepends=True)
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }


def _harmless(text: str) -> str:
    """A name that cannot end the docstring it stands in."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())
