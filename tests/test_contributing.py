"""CONTRIBUTING.md has the way around the code: its map is the tree on the disk, and what it names is there."""

from __future__ import annotations

import re
import textwrap
from typing import NamedTuple

from tests.conftest import LONGEST
from tests.test_architecture import REPOSITORY

DOCUMENT = REPOSITORY / "CONTRIBUTING.md"
DRAWN = ("tl_core", "ui", "pages", "benchmarks")  # the folders that the map shows down to their modules
WIDTH = 118
LINE = re.compile(
    r"^(?P<indent> *)(?P<package>\w+/)(?:  +(?P<text>\S.*))?$|^(?P<list_indent> *)(?P<modules>\w+(?: \w+)*)$"
)


class Room(NamedTuple):
    """A package with its modules; the map gives it one line, and its modules a list below."""

    package: str  # "tl_core/storage/"
    modules: list[str]


def map_lines() -> list[str]:
    (drawn,) = re.findall(
        r"^## Map of the code\n\n```\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return drawn.splitlines()


def drawn_rooms(lines: list[str]) -> list[Room]:
    rooms: list[Room] = []
    above: list[str] = []
    for line in lines:
        found = LINE.match(line)
        assert found, f"neither `package/   what it holds` nor a list of modules: {line!r}"
        if found["package"]:
            above = [*above[: len(found["indent"]) // 2], found["package"]]
            assert found["text"], f"a package has a line of text: {line!r}"
            rooms.append(Room("".join(above), []))
        else:
            assert len(found["list_indent"]) == 2 * len(above), f"modules stand under their package: {line!r}"
            rooms[-1].modules.extend(found["modules"].split())
    return rooms


def rooms_on_disk() -> list[Room]:
    return [
        Room(f"{folder.relative_to(REPOSITORY).as_posix()}/", sorted(path.stem for path in modules))
        for root in DRAWN
        for folder in [REPOSITORY / root, *sorted((REPOSITORY / root).rglob("*/"))]
        if (modules := [path for path in folder.glob("*.py") if path.stem != "__init__"])
        or (folder / "__init__.py").is_file()
    ]


def module_list(room: Room) -> str:
    indent = "  " * room.package.count("/")
    return textwrap.fill(" ".join(room.modules), WIDTH, initial_indent=indent, subsequent_indent=indent)


def corrections(drawn: list[Room], on_disk: list[Room]) -> str:
    """What to do to the map, with the lines to write."""
    before, after = ({room.package: room.modules for room in rooms} for rooms in (drawn, on_disk))
    advice = [f"{package} is not there: take its lines out" for package in before if package not in after]
    for room in on_disk:
        indent = "  " * (room.package.count("/") - 1)
        name = room.package.rstrip("/").rpartition("/")[2]
        if room.package not in before:
            advice.append(f"{room.package} is missing, add:\n{indent}{name}/  what it holds\n{module_list(room)}")
        elif before[room.package] != room.modules:
            advice.append(f"{room.package} has these modules:\n{module_list(room)}")
    return "\n".join(advice)


def test_the_map_is_the_tree():
    drawn, on_disk = drawn_rooms(map_lines()), rooms_on_disk()
    wrong = corrections(drawn, on_disk)
    assert not wrong, f"the map in CONTRIBUTING.md differs from the folders.\n{wrong}"
    assert sorted(room.package for room in drawn) == sorted(room.package for room in on_disk), (
        "a package is named twice"
    )


def test_every_line_of_the_map_is_short():
    assert [line for line in map_lines() if len(line) > WIDTH] == []


def test_a_wrong_map_would_be_noticed():
    on_disk = [Room("tl_core/", ["errors"]), Room("tl_core/storage/", ["files", "quota"])]
    assert corrections(on_disk, on_disk) == ""
    assert "tl_core/jobs/ is not there" in corrections([*on_disk, Room("tl_core/jobs/", [])], on_disk)
    missing = corrections(on_disk[:1], on_disk)
    assert "  storage/  what it holds\n    files quota" in missing
    assert "    files quota" in corrections([on_disk[0], Room("tl_core/storage/", ["files"])], on_disk)


PATH = re.compile(r"`((?:tl_core|ui|pages|tests|benchmarks|docs|\.ci|\.streamlit)/[\w./]*)`")


def test_every_path_that_the_text_names_is_there():
    text = DOCUMENT.read_text(encoding="utf-8")
    named = PATH.findall(text)
    assert len(named) > 10
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_the_longest_test_files_are_there():
    assert [file for file in LONGEST if not (REPOSITORY / file).is_file()] == []
