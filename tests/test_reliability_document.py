"""docs/reliability.md claims no more than it can name a test for, in a form that can be read."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from typing import NamedTuple

import pytest

from tests.test_architecture import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "reliability.md"
ROWS = {"A": 6, "B": 14, "C": 13, "D": 15}
STATES = {"held", "not applicable", "open"}
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
HEADING = re.compile(r"^### ", re.MULTILINE)
LONGEST_ROW = 180  # characters; a row is one line that can be read at one go
LONGEST_LINE = 160  # characters of the evidence
LONGEST_ITEM = 500  # characters of one item of the evidence, its tests left out
REASON = 20  # characters of a reason that is one


class Row(NamedTuple):
    number: str
    risk: str
    state: str
    held: str
    line: str


class Evidence(NamedTuple):
    number: str
    items: list[str]  # what is claimed, with the tests that show it


def parts() -> tuple[str, str]:
    """The tables, and the evidence below them."""
    tables, _, evidence = DOCUMENT.read_text(encoding="utf-8").partition("\n# Evidence\n")
    return tables, evidence


def rows() -> list[Row]:
    found = []
    for line in parts()[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| [") and (number := re.fullmatch(r"\[([A-D]\d+)\]\(#([a-d]\d+)\)", cells[0])):
            assert number[2] == number[1].lower(), f"{number[1]} leads to the evidence of {number[2]}"
            found.append(Row(number[1], *cells[1:], line))
    return found


def evidence() -> list[Evidence]:
    sections = [section.partition("\n") for section in HEADING.split(parts()[1])[1:]]
    return [Evidence(number, re.split(r"^- ", body, flags=re.MULTILINE)[1:]) for number, _, body in sections]


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


def test_every_row_and_its_evidence_are_there_once_in_their_order():
    expected = [f"{part}{n}" for part, count in ROWS.items() for n in range(1, count + 1)]
    assert [row.number for row in rows()] == expected
    assert [section.number for section in evidence()] == expected


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.number)
def test_a_row_is_one_short_line(row: Row):
    assert len(row.line) <= LONGEST_ROW
    assert row.state in STATES
    assert len(row.held) > REASON
    assert "::" not in row.line, "tests belong to the evidence"
    assert ("Open:" in row.held) == (row.state == "open")


@pytest.mark.parametrize("section", evidence(), ids=lambda section: section.number)
def test_the_evidence_names_tests_that_exist(section: Evidence):
    text = "".join(section.items)
    named = NAMED_TEST.findall(text)
    assert named
    assert text.count("::") == len(named), "a test is named as `tests/….py::test_…`"
    missing = [f"{file}::{name}" for file, name in named if name not in named_in(file)]
    assert missing == []
    twice = [name for name, times in Counter(named).items() if times > 1]
    assert twice == []
    open_points = [item for item in section.items if item.startswith("Open: ")]
    assert bool(open_points) == (section.number in {row.number for row in rows() if row.state == "open"})
    assert text.count("Open:") == len(open_points)


@pytest.mark.parametrize("section", evidence(), ids=lambda section: section.number)
def test_an_item_of_the_evidence_has_its_test_or_says_that_it_has_none(section: Evidence):
    for item in section.items:
        claim = " ".join(NAMED_TEST.sub("", item).split())
        assert REASON // 2 < len(claim) <= LONGEST_ITEM, claim
        without_test = claim.startswith(("Note: ", "Measured ", "Open: "))
        assert bool(NAMED_TEST.search(item)) != without_test, claim
        if claim.startswith("Measured "):
            assert re.search(r"\d{4}-\d\d-\d\d", claim), f"a figure has its date: {claim}"


def test_no_line_of_the_evidence_is_long():
    claims = [line for line in parts()[1].splitlines() if not NAMED_TEST.search(line)]
    assert [line for line in claims if len(line) > LONGEST_LINE] == []


def test_a_missing_test_would_be_noticed():
    assert "test_a_missing_test_would_be_noticed" in named_in("tests/test_reliability_document.py")
    assert "test_that_was_never_written" not in named_in("tests/test_reliability_document.py")
    assert named_in("tests/no_such_file.py") == frozenset()
