from __future__ import annotations

import pytest

from tl_core.data.imports.file_kinds import is_archive_name, is_junk, is_picture_name, unsupported_format


@pytest.mark.parametrize(
    "path",
    [
        "__MACOSX/cats/1.png", "cats/._1.png", "cats/.DS_Store", "cats/Thumbs.db", "THUMBS.DB", "cats/desktop.ini",
        ".ipynb_checkpoints/1.png", "cats/.thumbnails/1.png", "@eaDir/1.png", "$RECYCLE.BIN/1.png", "cats/Icon\r",
    ],
)  # fmt: skip
def test_litter_of_operating_systems_is_known(path):
    assert is_junk(tuple(path.split("/")))


@pytest.mark.parametrize(
    "path", ["cats/1.png", "thumbs/1.png", "cats/desktop.ini.png", "../1.png", "..", ".", "desktop.ini/1.png"]
)
def test_other_paths_are_no_litter(path):
    assert not is_junk(tuple(path.split("/")))


def test_no_path_is_no_litter():
    assert not is_junk(())


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.png", "a.webp", "a.bmp", "a.gif", "a.HEIC", "a.tif", "photo"])
def test_pictures_are_told_by_their_suffix(name):
    assert is_picture_name(name)
    assert not is_archive_name(name)


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.json", "a.xml", "a.zip", "a.tar.gz", "a.py", "a.mp4"])
def test_other_files_are_no_pictures(name):
    assert not is_picture_name(name)


def test_an_unknown_beginning_says_nothing():
    assert unsupported_format(b"") is None
    assert unsupported_format(b"\xff\xd8\xff\xe0" + bytes(20)) is None
    assert unsupported_format(b'<?xml version="1.0"?><html/>') is None
