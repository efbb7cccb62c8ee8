"""docs/reliability.md claims no more than it can name a test for."""

from __future__ import annotations

import ast
import functools
import re
from typing import NamedTuple

import pytest

from tests.test_architecture import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "reliability.md"
ROWS = {"A": 6, "B": 14, "C": 13, "D": 15}
STATES = {"held", "not applicable", "open"}
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
REASON = 20  # characters of a reason that is one


class Row(NamedTuple):
    number: str
    risk: str
    state: str
    text: str


def rows() -> list[Row]:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [Row(*row) for row in cells if re.fullmatch(r"[A-D]\d+", row[0])]


@functools.cache
def named_in(file: str) -> frozenset[str]:
    """The tests that pytest finds at the top of a file, or inside its test classes."""
    path = REPOSITORY / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test")]
    functions = [node for holder in (tree, *classes) for node in holder.body if isinstance(node, ast.FunctionDef)]
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def test_every_row_is_there_once_in_its_order():
    assert [row.number for row in rows()] == [
        f"{part}{n}" for part, count in ROWS.items() for n in range(1, count + 1)
    ]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.number)
def test_a_row_says_what_it_is_and_names_tests_that_exist(row: Row):
    assert row.state in STATES
    named = NAMED_TEST.findall(row.text)
    assert row.text.count("::") == len(named), "a test is named as `tests/….py::test_…`"
    missing = [f"{file}::{name}" for file, name in named if name not in named_in(file)]
    assert missing == []
    said = NAMED_TEST.sub("", row.text)
    if row.state == "held":
        assert named
        assert "Open:" not in row.text
    elif row.state == "open":
        assert len(said.partition("Open:")[2]) > REASON
    else:
        assert len(said) > REASON


def test_a_missing_test_would_be_noticed():
    assert "test_a_missing_test_would_be_noticed" in named_in("tests/test_reliability_document.py")
    assert "test_that_was_never_written" not in named_in("tests/test_reliability_document.py")
    assert named_in("tests/no_such_file.py") == frozenset()
