"""Folders and names as people have them: what they mean is understood, or asked, never guessed."""

from __future__ import annotations

import pytest

from tl_core.data import import_folder
from tl_core.data.imports.layouts import split_of
from tl_core.errors import NotEnoughDataError


@pytest.fixture
def imported(make_folder, workspace):
    def make(files):
        return import_folder(workspace, make_folder(files), "Set")

    return make


def divided(*tops, classes=("cat", "dog"), each=6):
    return {f"{top}/{name}/{n}.png": True for top in tops for name in classes for n in range(each)}


@pytest.mark.parametrize(
    "tops",
    [
        ("training_set", "test_set"),
        ("Training set", "Validation set", "Test set"),
        ("train_data", "test_data"),
        ("1_train", "2_test"),
        ("train", "eval"),
        ("train", "dev", "test"),
        ("train", "Val ", "test"),
        ("trainset", "testset"),
        ("train2017", "val2017"),
    ],
)
def test_names_of_splits_are_understood_by_the_word_in_them(imported, tops):
    dataset = imported(divided(*tops))
    assert dataset.classes == ("cat", "dog")
    assert dataset.given_splits
    for top in tops:
        assert len(dataset.of_split(split_of(top))) >= 8, "validation is drawn from training where none came"


@pytest.mark.parametrize("name", ["trains", "contest", "cat", "train and test", "value", "1", ""])
def test_other_names_are_no_splits(name):
    assert split_of(name) is None


def test_splits_within_the_classes_are_splits(imported):
    dataset = imported(
        {f"{name}/{part}/{n}.png": True for name in "ab" for part in ("train", "test") for n in range(6)}
    )
    assert (dataset.classes, len(dataset.of_split("test"))) == (("a", "b"), 12)


def test_folders_that_hold_the_same_folders_are_asked_about(imported):
    with pytest.raises(NotEnoughDataError, match="all hold the folders cat, dog, so it is not clear"):
        imported(divided("north", "south"))


def test_classes_come_from_numbered_names_without_class_folders(imported):
    dataset = imported({f"train/{name}.{n}.jpg": True for name in ("cat", "dog") for n in range(12)})
    assert (dataset.classes, len(dataset.images)) == (("cat", "dog"), 24)
    assert dataset.source.endswith("classes from the names of the files")


def test_classes_come_from_the_last_word_of_a_name(imported):
    assert imported({f"{n:04}_{'cat' if n % 2 else 'dog'}.png": True for n in range(16)}).classes == ("cat", "dog")


def test_the_published_archive_has_two_classes_and_a_folder_without_labels(imported):
    files = {f"train/{name}.{n}.jpg": True for name in ("cat", "dog") for n in range(10)}
    dataset = imported(files | {f"test1/{n}.jpg": True for n in range(1, 9)})
    assert (dataset.classes, len(dataset.images)) == (("cat", "dog"), 20)
    assert len(dataset.skipped) == 8
    assert "no label" in dataset.skipped[0].reason
    assert dataset.of_split("test"), "drawn here, as none came with labels"


def test_parts_of_a_split_without_labels_are_no_classes(imported):
    with pytest.raises(NotEnoughDataError, match="“test1” and “train” are named as parts of a split"):
        imported({f"{top}/{n}.png": True for top in ("train", "test1") for n in range(8)})


def test_names_of_a_camera_are_no_classes(imported):
    with pytest.raises(NotEnoughDataError):
        imported({f"photos/{name}_{n:04}.png": True for name in ("IMG", "DSC") for n in range(8)})


@pytest.mark.parametrize("head", ["file;species", "id,label"])
def test_a_table_beside_the_images_tells_their_classes(imported, head):
    delimiter = ";" if ";" in head else ","
    lines = [head, *(f"{n}.png{delimiter}{'oak' if n < 6 else 'elm'}" for n in range(12))]
    files = {f"pictures/{n}.png": True for n in range(13)} | {"labels.csv": "\n".join(lines).encode()}
    dataset = imported(files)
    assert (dataset.classes, len(dataset.images)) == (("elm", "oak"), 12)
    assert dataset.source.endswith("classes from a table beside the images")
    assert [file.name for file in dataset.skipped] == ["pictures/12.png"], "it has no label; the table was of use"


def test_a_class_that_one_split_spells_with_a_capital_letter_is_one_class(imported):
    files = {f"train/Cat/{n}.png": True for n in range(8)} | {f"val/cat/{n}.png": True for n in range(4)}
    files |= {f"{top}/dog/{n}.png": True for top in ("train", "val") for n in range(4)}
    dataset = imported(files)
    assert dataset.classes == ("Cat", "dog")
    assert dataset.counts()["Cat"]["validation"] == 4


def test_a_table_with_several_columns_of_images_tells_the_class_of_each(imported):
    lines = ["front,back,label", *(f"f{n}.png,b{n}.png,{'cat' if n % 2 else 'dog'}" for n in range(6))]
    files = {f"{side}{n}.png": True for side in "fb" for n in range(6)}
    dataset = imported(files | {"labels.csv": "\n".join(lines).encode()})
    assert (dataset.classes, len(dataset.images)) == (("cat", "dog"), 12)


def test_a_table_with_a_column_for_each_class_is_understood(imported):
    lines = ["filename,cat,dog", *(f"{n}.png,{n % 2},{1 - n % 2}" for n in range(8))]
    dataset = imported({f"{n}.png": True for n in range(8)} | {"_classes.csv": "\n".join(lines).encode()})
    assert {name: sum(of.values()) for name, of in dataset.counts().items()} == {"cat": 4, "dog": 4}


def test_a_table_that_is_not_understood_is_named(imported):
    lines = ["file,width,height", *(f"{n}.png,40,3{n}" for n in range(6))]
    with pytest.raises(NotEnoughDataError, match=r"The table sizes.csv was not understood: it needs a column"):
        imported({f"{n}.png": True for n in range(6)} | {"sizes.csv": "\n".join(lines).encode()})
