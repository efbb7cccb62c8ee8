"""Pictures that are collected before they are a dataset."""

from __future__ import annotations

import os
import time

import pytest

from tests.ui.pages_without_browser import picture
from tl_core.data import find_dataset, import_uploads
from tl_core.data.collecting import (
    ABANDONED_SECONDS,
    COLLECTIONS,
    FILE,
    bring,
    discard_pictures,
    keep_collection,
    make_dataset,
    named_pictures,
    new_collection,
)
from tl_core.data.editing import add_collected
from tl_core.data.imports.sources import SourceFile
from tl_core.errors import DatasetNotFoundError, NotEnoughDataError

SMALL = {"a": (1, 2, 3), "b": (4, 5)}


def files(*seeds: int, group: str = "") -> list[SourceFile]:
    return [
        SourceFile((f"{seed}.png",), 1, lambda seed=seed: picture(seed), group)  # type: ignore[misc]
        for seed in seeds
    ]


def test_pictures_are_brought_removed_and_become_a_dataset(workspace):
    made = new_collection(workspace)
    bring(workspace, made.id, "0", [*files(*range(6)), SourceFile(("notes.txt",), 4, lambda: b"text")])
    bring(workspace, made.id, "1", files(*range(10, 16), group="a" * 16))
    found = bring(workspace, made.id, "0", files(0, 20))
    assert len(found.pictures) == 13, "a picture that is there already is not there twice"
    assert [skipped.name for skipped in found.skipped] == ["notes.txt"]
    found = discard_pictures(workspace, made.id, [found.of_pile("0")[0].id, "gone"])
    assert COLLECTIONS.find(workspace, made.id) == found
    named = named_pictures(found, {"0": " cat", "1": "dog", "2": ""})
    dataset = make_dataset(workspace, found, named, "Pets", "uploaded images")
    assert (dataset.classes, len(dataset.images)) == (("cat", "dog"), 12)
    assert all(dataset.path_of(record).is_file() for record in dataset.images)
    assert {record.group for record in dataset.images if record.label == 1} == {"a" * 16}
    with pytest.raises(DatasetNotFoundError):
        COLLECTIONS.find(workspace, made.id)


def test_pictures_of_one_class_are_no_dataset_and_are_kept(workspace):
    made = new_collection(workspace)
    found = bring(workspace, made.id, "0", files(1, 2, 3))
    with pytest.raises(NotEnoughDataError, match="only one class"):
        make_dataset(workspace, found, named_pictures(found, {"0": "cat"}), "Pets", "uploaded images")
    assert COLLECTIONS.find(workspace, made.id) == found


def test_a_recording_is_added_to_a_dataset_as_a_class_of_its_own(workspace):
    images = {name: [(str(seed), picture(seed)) for seed in seeds] for name, seeds in SMALL.items()}
    before = import_uploads(workspace, images, "Small")
    found = bring(workspace, new_collection(workspace).id, "", files(*range(30, 50), group="b" * 16))
    after, left_out = add_collected(workspace, before.id, found, "c")
    assert left_out == ()
    assert after.counts()["c"] == {"train": 14, "validation": 3, "test": 3}
    assert find_dataset(workspace, before.id) == after


def test_what_is_abandoned_is_removed_unless_it_is_kept(workspace):
    gone, kept = new_collection(workspace), new_collection(workspace)
    keep_collection(workspace, kept.id)
    for made in (gone, kept):
        os.utime(made.path / FILE, times=(time.time() - ABANDONED_SECONDS - 60,) * 2)
    new_collection(workspace)
    assert (gone.path.exists(), kept.path.exists()) == (False, True)
