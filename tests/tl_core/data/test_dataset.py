from __future__ import annotations

import json
import logging
import shutil

import pytest

from tests.hostile.pictures import png
from tl_core.data import dataset as module
from tl_core.data.dataset import (
    MANIFEST,
    delete_dataset,
    fingerprint_of,
    list_datasets,
    load_dataset,
    rename_dataset,
)
from tl_core.data.imports.importing import import_uploads
from tl_core.errors import DataError, DatasetNotFoundError


@pytest.fixture
def dataset(workspace):
    return import_uploads(
        workspace,
        {name: [(f"{n}.png", png(10 * place + n)) for n in range(5)] for place, name in enumerate("ab")},
        "Letters",
    )


def manifest_of(dataset) -> dict:
    return json.loads((dataset.path / MANIFEST).read_text(encoding="utf-8"))


def rewrite(dataset, **changes) -> None:
    (dataset.path / MANIFEST).write_text(json.dumps({**manifest_of(dataset), **changes}), encoding="utf-8")


def test_splits_and_counts_agree(dataset):
    by_split = {split: len(dataset.of_split(split)) for split in ("train", "validation", "test")}
    assert sum(by_split.values()) == len(dataset.images) == 10
    assert by_split == {split: sum(counts[split] for counts in dataset.counts().values()) for split in by_split}
    assert all(dataset.path_of(record).is_file() for record in dataset.images)


def test_renaming_keeps_everything_but_the_name(dataset):
    renamed = rename_dataset(dataset.workspace, dataset.id, "  Alphabet ")
    assert renamed.name == "Alphabet"
    assert load_dataset(dataset.path) == renamed
    assert (renamed.id, renamed.fingerprint, renamed.images) == (dataset.id, dataset.fingerprint, dataset.images)


@pytest.mark.parametrize("name", ["", " ", "x" * 101])
def test_an_impossible_name_changes_nothing(dataset, name):
    with pytest.raises(DataError, match="1 to 100 characters"):
        rename_dataset(dataset.workspace, dataset.id, name)
    assert load_dataset(dataset.path).name == "Letters"


def test_deleting_removes_the_dataset_and_its_images(dataset, workspace):
    delete_dataset(workspace, dataset.id)
    assert list_datasets(workspace) == []
    assert list(workspace.datasets.glob("*")) == []
    delete_dataset(workspace, dataset.id)  # a second click finds nothing left to do
    with pytest.raises(DatasetNotFoundError, match="may have been deleted"):
        load_dataset(dataset.path)


def test_the_newest_dataset_comes_first_and_a_damaged_one_is_left_out(dataset, workspace, caplog):
    copies = [dataset.path.with_name(f"copy-{digit * 32}") for digit in "abc"]
    for copy in copies:
        shutil.copytree(dataset.path, copy)
    rewrite(load_dataset(copies[0]), created="2999-01-01T00:00:00+00:00")
    rewrite(load_dataset(copies[1]), created="2001-01-01T00:00:00+00:00")
    (copies[2] / MANIFEST).write_text("{", encoding="utf-8")
    (workspace.datasets / "no dataset").mkdir()
    with caplog.at_level(logging.WARNING):
        listed = list_datasets(workspace)
    assert [found.path for found in listed] == [copies[0], dataset.path, copies[1]]
    assert copies[2].name in caplog.text


TAMPERED = [{"file": "../../../etc/passwd"}, {"file": "images/x.png"}, {"label": 2}, {"label": -1}]
TAMPERED += [{"split": "elsewhere"}, {"odd": 1}]


@pytest.mark.parametrize("image", TAMPERED)
def test_a_manifest_that_was_tampered_with_is_refused(dataset, image):
    images = manifest_of(dataset)["images"]
    rewrite(dataset, images=[{**images[0], **image}, *images[1:]])
    with pytest.raises(DataError, match="damaged"):
        load_dataset(dataset.path)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"classes": 3}'])
def test_a_damaged_manifest_is_one_sentence(dataset, text):
    (dataset.path / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="import it again"):
        load_dataset(dataset.path)


def test_a_fingerprint_depends_on_pixels_labels_splits_and_class_names_alone(dataset):
    images = dataset.images
    assert fingerprint_of(dataset.classes, images) == dataset.fingerprint
    assert fingerprint_of(dataset.classes, images[::-1]) == dataset.fingerprint
    others = [fingerprint_of(("a", "c"), images), fingerprint_of(dataset.classes, images[1:])]
    others += [fingerprint_of(dataset.classes, dataset.of_split("train"))]
    assert len({dataset.fingerprint, *others}) == 4


def test_reading_an_unchanged_dataset_again_opens_no_file(dataset, workspace, monkeypatch):
    first = list_datasets(workspace)

    def refuse(path):
        raise AssertionError(path)

    monkeypatch.setattr(module, "read_json", refuse)
    assert list_datasets(workspace) == first
