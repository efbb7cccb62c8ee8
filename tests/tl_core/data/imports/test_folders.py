from __future__ import annotations

import pytest

from tl_core.data.imports.sources import DATA_ROOT, data_root, list_folders, resolve_folder, resolve_typed
from tl_core.errors import DataError


@pytest.fixture
def root(make_folder, tmp_path):
    folder = make_folder(
        {"pets/cats/1.png": True, "pets/cats/2.jpg": b"x", "pets/cats/a.txt": b"x", "b/x.png": True}, "root"
    )
    make_folder({"1.png": True}, "secret")
    (folder / ".hidden").mkdir()
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "pets" / "up").symlink_to(folder)
    return folder


def test_the_operator_names_the_root(monkeypatch, tmp_path):
    monkeypatch.delenv(DATA_ROOT, raising=False)
    assert data_root() is None
    monkeypatch.setenv(DATA_ROOT, str(tmp_path))
    assert data_root() == tmp_path


def test_folders_are_listed_without_hidden_ones_and_links(root):
    listing = list_folders(root)
    assert (listing.relative, listing.parent, listing.folders, listing.pictures) == ("", None, ("b", "pets"), 0)


def test_a_person_goes_down_and_up_again(root):
    pets = list_folders(root, list_folders(root).inside("pets"))
    assert (pets.relative, pets.parent, pets.folders) == ("pets", "", ("cats",))
    cats = list_folders(root, pets.inside("cats"))
    assert (cats.relative, cats.parent, cats.folders, cats.pictures) == ("pets/cats", "pets", (), 2)


def test_what_is_listed_can_be_imported_from(root):
    assert resolve_folder(root, "pets/cats") == root / "pets" / "cats"
    assert resolve_folder(root, "") == root


@pytest.mark.parametrize(
    "relative", ["..", "../secret", "pets/../..", "/etc", "out", "pets/up/pets", "gone", "pets/cats/1.png", "a\0b"]
)
def test_nothing_outside_can_be_reached(root, relative):
    for call in (list_folders, resolve_folder):
        with pytest.raises(DataError, match="no such folder"):
            call(root, relative)


def test_a_typed_path_may_lie_below_what_is_open(root):
    image = root / "pets" / "cats" / "1.png"
    assert resolve_typed(root, "pets/cats/1.png") == resolve_typed(root, str(image)) == image
    assert resolve_typed(root, "pets/up/b") == root / "b"


def test_typed_paths_outside_are_answered_alike_whether_or_not_they_are_there(root, tmp_path):
    there = ["../secret/1.png", str(tmp_path / "secret" / "1.png"), "out/1.png", "/etc/passwd", "/"]
    said = set()
    for typed in [*there, "../gone", "/gone", "gone", "a\0b", "x" * 5000]:
        with pytest.raises(DataError) as caught:
            resolve_typed(root, typed)
        said.add(str(caught.value))
    assert len(said) == 1
    with pytest.raises(DataError, match="no folder of its server is open"):
        resolve_typed(None, "/etc/passwd")
