"""What an import has understood is shown before it is done; numbers in names are those of the cases."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile

import pytest

from tests.hostile.archives import good_members, zip_of
from tests.hostile.pictures import png
from tl_core.command_line import main
from tl_core.data import import_folder, import_zip, list_datasets
from tl_core.data.imports.layouts import understand_layout
from tl_core.data.imports.preview import preview
from tl_core.data.imports.sources import SourceFile


def seen(*paths: str):
    files = [SourceFile(tuple(path.split("/")), 1, bytes) for path in paths]
    return preview(understand_layout(files))


def pictures(*folders: str, each: int = 4) -> list[str]:
    return [f"{folder}/{number}.png" for folder in folders for number in range(each)]


def tar_of(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "folders", [("cat", "dog"), ("train/cat", "train/dog", "test/cat", "test/dog"), ("pets/cat", "pets/dog")]
)
def test_class_folders_need_no_question(folders):
    found = seen(*pictures(*folders))
    assert found.is_clear
    assert set(found.classes) == {"cat", "dog"}


REMARKS = {
    "names of splits 16": (
        pictures("training_set/a", "training_set/b", "test_set/a", "test_set/b"),
        "“test_set” as test, “training_set” as train",
    ),
    "other capitals 21": (
        pictures("train/Cat", "train/dog", "val/cat", "val/dog"),
        "cat and Cat are taken for one class",
    ),
    "classes from names 10": ([f"{name}.{n}.jpg" for name in ("cat", "dog") for n in range(4)], "names of the files"),
    "folders in a class": (
        pictures("animals/cats", "animals/lions", "plants/roses"),
        "All folders in animals (cats, lions) make one class",
    ),
    "few": ([*pictures("cat"), "dog/1.png", "dog/2.png"], "“dog” has fewer than 3 images"),
    "a class without a test": (
        pictures("train/a", "train/b", "test/a"),
        "There are no test images of b",
    ),
}


@pytest.mark.parametrize("name", REMARKS)
def test_what_was_guessed_or_is_odd_is_said(name):
    paths, sentence = REMARKS[name]
    found = seen(*paths)
    assert not found.is_clear
    assert sentence in " ".join(found.remarks)


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        (
            ["dots/1.png", "dots/2.png", "stripes/1.png", "stripes/2.png"],
            "“dots” and “stripes” have fewer than 3 images.",
        ),
        (["cat/1.png", "cat/2.png", "dog/1.png", "owl/1.png"], "“dog” and “owl” have only one image."),
        (["cat/1.png", "cat/2.png", "cat/3.png"], "There is only one class, cat"),
    ],
)
def test_what_would_be_refused_is_said_before_the_import(paths, sentence):
    found = seen(*paths)
    assert found.obstacle.startswith(sentence)
    assert f"It would not be imported: {sentence}" in "\n".join(found.lines("pets.zip"))
    assert seen("dots/1.png", "dots/2.png", *pictures("stripes")).obstacle is None


def test_what_is_left_out_is_listed_with_the_reason():
    found = seen(*pictures("train/a", "train/b", "test/a", "test/b"), "readme.txt", "other/1.png", "other/2.png")
    assert {entry.reason: entry.count for entry in found.left_out} == {
        "It lies outside the train, validation and test folders.": 2,
        "It is not an image.": 1,
    }
    lines = found.lines("pets.zip")
    assert lines[0] == "pets.zip: 16 image files of 2 classes, the split came with them"
    assert lines[2].split() == ["└──", "b", "8", "train", "4,", "test", "4"]
    assert "Left out: other/1.png, other/2.png. " in "\n".join(lines)


def test_a_name_that_is_shortened_is_said():
    long = "Photographs of the plants in our school garden taken in the spring: "
    remarks = seen(*pictures("a" * 64, long + "roses", long + "tulips")).remarks
    assert remarks == (
        "2 names are longer than 64 characters and shortened as the table shows; a class can be renamed after the "
        "import.",
    )
    assert not seen(*pictures("cats", "dogs")).remarks


def test_a_dry_run_shows_the_tree_and_imports_nothing(workspace, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    archive = tmp_path / "pets.zip"
    archive.write_bytes(zip_of([*good_members(), ("notes.txt", b"x")]))
    assert main(["import", str(archive), "--dry-run", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert set(values) == {"classes", "images", "given_splits", "remarks", "left_out", "obstacle", "clear"}
    assert (set(values["classes"]), values["clear"]) == ({"cats", "dogs"}, False)
    assert values["left_out"][0]["examples"] == ["notes.txt"]
    assert main(["import", str(archive), "--dry-run"]) == 0
    assert "├── cats" in capsys.readouterr().out
    assert list_datasets(workspace) == []
    assert main(["import", str(tmp_path / "nothing"), "--dry-run"]) == 2


def test_a_tar_is_read_whatever_it_is_called_22(workspace, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    for name in ("pets.tar.gz", "pets.zip"):
        (tmp_path / name).write_bytes(tar_of([("LICENSE.md", b"free"), *good_members()]))
        assert main(["import", str(tmp_path / name), "--json"]) == 0
        values = json.loads(capsys.readouterr().out)
        assert (values["name"], values["classes"]) == ("pets", ["cats", "dogs"])
    dataset = import_zip(workspace, io.BytesIO(tar_of(good_members())), "uploaded")
    assert len(dataset.images) == len(good_members())
    assert not list(workspace.datasets.glob(".*")), "what was unpacked is gone"


def per_class() -> list[tuple[str, bytes]]:
    return [
        ("Cats.zip", zip_of([(f"{n}.png", png(n)) for n in range(5)])),
        ("Dogs.zip", zip_of([(f"{n}.png", png(10 + n)) for n in range(5)])),
    ]


def test_one_zip_per_class_and_a_zip_in_a_zip_are_read_22(workspace, tmp_path):
    for data in (zip_of(per_class()), zip_of([("pets/data.zip", zip_of(good_members()))])):
        dataset = import_zip(workspace, io.BytesIO(data), "zips")
        assert [name.lower() for name in dataset.classes] == ["cats", "dogs"]
        assert dataset.skipped == ()
    (tmp_path / "pets").mkdir()
    for name, data in per_class():
        (tmp_path / "pets" / name).write_bytes(data)
    assert import_folder(workspace, tmp_path / "pets", "folder").classes == ("Cats", "Dogs")


def test_a_bomb_in_a_zip_within_is_left_out_with_the_reason(workspace):
    bomb = zip_of([("0.png", bytes(30_000_000))], zipfile.ZIP_DEFLATED)
    dataset = import_zip(workspace, io.BytesIO(zip_of([*per_class(), ("Owls.zip", bomb)])), "zips")
    assert dataset.classes == ("Cats", "Dogs")
    assert "unpacks to far more than its size" in dataset.skipped[0].reason


def as_zip(path, folders, files):
    path.write_bytes(zip_of([*((f"{folder}/", b"") for folder in folders), *files]))
    return path


def as_tar(path, folders, files):
    with tarfile.open(path, "w:gz") as archive:
        for folder in folders:
            info = tarfile.TarInfo(folder)
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def as_folder(path, folders, files):
    for folder in folders:
        (path / folder).mkdir(parents=True)
    for name, data in files:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


@pytest.mark.parametrize("brought_as", [as_zip, as_tar, as_folder])
def test_a_class_folder_without_files_is_not_left_out_without_a_word(workspace, tmp_path, capsys, brought_as):
    """Also one that the operating system alone has put a file into; the folders in it need no line of their own."""
    folders = ["cats", "owls", "owls/more", "bats", "__MACOSX"]
    source = brought_as(tmp_path / "pets", folders, [*good_members(), ("bats/.DS_Store", b"of a Mac")])
    assert main(["import", str(source), "--dry-run"]) == 0
    assert "Left out: bats/, owls/. The folder is empty." in capsys.readouterr().out
    bring = import_folder if source.is_dir() else import_zip
    dataset = bring(workspace, source, "Pets")
    assert [(left.name, left.reason) for left in dataset.skipped] == [
        ("bats/", "The folder is empty."),
        ("owls/", "The folder is empty."),
    ]
