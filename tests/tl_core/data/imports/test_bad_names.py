"""Names that mean harm stay text: they are cleaned, or what bears them is left out."""

from __future__ import annotations

import io
from unicodedata import category

import pytest

from tests.hostile.names import BAD_NAMES, BadName
from tl_core.data.imports.archive import member_problem
from tl_core.data.imports.importing import import_zip
from ui.components.downloads import to_csv
from ui.components.markdown import plain


def everything_below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("bad", BAD_NAMES, ids=str)
def test_a_bad_class_name_becomes_a_label_or_is_left_out(bad: BadName, workspace, tmp_path):
    dataset = import_zip(workspace, io.BytesIO(bad.as_class()), "names")
    assert set(dataset.classes) == {"cats", "dogs", *filter(None, [bad.label])}
    assert bool(dataset.skipped) == (bad.label is None)
    assert {path.split("/")[0] for path in everything_below(tmp_path)} == {"workspace"}
    stored = everything_below(dataset.path)
    assert all(part.isascii() and ".." not in part for part in stored), "no name of a stranger is a path"


@pytest.mark.parametrize("bad", BAD_NAMES, ids=str)
def test_a_bad_file_name_is_never_a_path(bad: BadName, workspace, tmp_path):
    dataset = import_zip(workspace, io.BytesIO(bad.as_file()), "names")
    assert set(dataset.classes) == {"cats", "dogs"}
    assert {path.split("/")[0] for path in everything_below(tmp_path)} == {"workspace"}
    assert all(part.isascii() and ".." not in part for part in everything_below(dataset.path))
    assert not [mark for image in dataset.images for mark in image.source_name if category(mark) == "Cc"]


@pytest.mark.parametrize("bad", [bad for bad in BAD_NAMES if bad.label], ids=str)
def test_a_bad_name_is_shown_as_text(bad: BadName):
    shown = plain(bad.label or "")
    assert not any(mark in shown.replace(f"\\{mark}", "") for mark in "<>`*[]$|")
    (cell,) = to_csv(["name"], [[bad.label]]).decode("utf-8-sig").splitlines()[1:]
    assert not cell.lstrip('"').startswith(("=", "+", "-", "@"))


def test_the_corpus_is_as_large_as_promised():
    assert len(BAD_NAMES) >= 15
    assert member_problem("../x") is not None
