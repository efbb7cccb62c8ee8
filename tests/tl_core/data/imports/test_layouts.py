from __future__ import annotations

from collections import Counter

import pytest

from tl_core.data.imports.layouts import Layout, understand_layout
from tl_core.data.imports.sources import SourceFile
from tl_core.errors import NotEnoughDataError


def layout_of(*paths: str) -> Layout:
    return understand_layout([SourceFile(tuple(path.split("/")), 0, bytes) for path in paths])


def found(layout: Layout) -> set[tuple[str, str | None]]:
    return {(file.class_name, file.split) for file in layout.files}


@pytest.mark.parametrize("top", ["", "pets/", "a/b/c/"])
def test_class_folders_are_found_inside_any_single_top_folders(top):
    layout = layout_of(f"{top}cats/1.png", f"{top}cats/2.jpg", f"{top}dogs/1.png")
    assert found(layout) == {("cats", None), ("dogs", None)}
    assert not layout.given_splits
    assert layout.skipped == ()


@pytest.mark.parametrize("top", ["", "pets/", "a/b/c/"])
@pytest.mark.parametrize("train", ["train", "training", "Train"])
@pytest.mark.parametrize("validation", ["valid", "validation", "val", "VAL"])
def test_split_folders_are_found_under_all_their_names(top, train, validation):
    layout = layout_of(
        *(f"{top}{part}/{name}/1.png" for part in (train, validation, "test") for name in ("cats", "dogs"))
    )
    assert layout.given_splits
    assert found(layout) == {(name, part) for name in ("cats", "dogs") for part in ("train", "validation", "test")}


@pytest.mark.parametrize("other", ["validation", "test"])
def test_two_of_the_three_splits_are_enough(other):
    layout = layout_of("train/cats/1.png", "train/dogs/1.png", f"{other}/cats/1.png", f"{other}/dogs/1.png")
    assert layout.given_splits
    assert {split for _, split in found(layout)} == {"train", other}


def test_a_train_folder_alone_is_a_top_folder():
    layout = layout_of("train/cats/1.png", "train/dogs/1.png")
    assert not layout.given_splits
    assert found(layout) == {("cats", None), ("dogs", None)}


def test_train_can_be_a_class_among_vehicles():
    layout = layout_of("train/1.png", "car/1.png", "bus/night/1.png", "train/old/2.png")
    assert not layout.given_splits
    assert found(layout) == {("train", None), ("car", None), ("bus", None)}


def test_folders_within_a_class_belong_to_the_class():
    layout = layout_of("cats/black/1.png", "cats/white/old/2.png", "dogs/3.png")
    assert Counter(file.class_name for file in layout.files) == {"cats": 2, "dogs": 1}


def test_folders_within_a_class_of_given_splits_belong_to_the_class():
    layout = layout_of("train/cats/black/1.png", "train/dogs/1.png", "val/cats/1.png", "val/dogs/a/b/1.png")
    assert found(layout) == {(name, split) for name in ("cats", "dogs") for split in ("train", "validation")}


def test_stray_files_are_skipped_with_a_reason():
    layout = layout_of(
        "pets/train/cats/1.png", "pets/train/dogs/1.png", "pets/test/cats/1.png", "pets/cover.png",
        "pets/train/loose.png", "pets/extra/1/2.png", "pets/labels.csv", "pets/train/cats/old.zip",
    )  # fmt: skip
    assert {skipped.name: skipped.reason for skipped in layout.skipped} == {
        "pets/cover.png": "It lies outside the train, validation and test folders.",
        "pets/extra/1/2.png": "It lies outside the train, validation and test folders.",
        "pets/train/loose.png": "It lies in no class folder.",
        "pets/labels.csv": "It is not an image.",
        "pets/train/cats/old.zip": "It is an archive within the archive, which has to be unpacked first.",
    }
    assert len(layout.files) == 3


def test_a_loose_picture_beside_the_class_folders_hides_no_class():
    assert found(layout_of("pets/cats/1.png", "pets/dogs/1.png", "cover.jpg", "pets/cover.jpg")) == {
        ("cats", None),
        ("dogs", None),
    }


@pytest.mark.parametrize(
    "junk",
    ["__MACOSX/cats/._1.png", "cats/._1.png", "cats/.DS_Store", "Thumbs.db", "cats/desktop.ini", ".cache/x/1.png"],
)
def test_junk_is_ignored_without_a_word(junk):
    layout = layout_of("cats/1.png", "dogs/1.png", junk)
    assert len(layout.files) == 2
    assert layout.skipped == ()


def test_two_spellings_of_one_name_are_one_class():
    assert found(layout_of("Caf\u00e9/1.png", "Cafe\u0301/2.png", "tea/1.png")) == {("Café", None), ("tea", None)}


def test_pictures_without_a_suffix_and_of_unsupported_kinds_are_tried():
    assert len(layout_of("cats/photo", "cats/1.HEIC", "dogs/1.tiff", "dogs/2.JPEG").files) == 4


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        ([], "no images in it"),
        (["cats/readme.txt"], "no images in it"),
        (["1.png", "2.png"], "no class folders"),
        ([".DS_Store", "__MACOSX/cats/1.png"], "no images in it"),
    ],
)
def test_an_import_without_images_is_refused_with_a_sentence(paths, says):
    with pytest.raises(NotEnoughDataError, match=says):
        layout_of(*paths)
