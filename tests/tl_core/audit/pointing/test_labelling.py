"""Labelling by pointing on the disk: steps, undo, and the dataset that comes of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ui.pages_without_browser import picture
from tl_core.audit.features import FeatureSource
from tl_core.audit.pointing.labelling import (
    Conclusion,
    add_class,
    begin_labelling,
    finish_labelling,
    list_labellings,
    load_labelling,
    point,
    take_back,
)
from tl_core.audit.pointing.standing import Pointer
from tl_core.data.collecting import bring, new_collection
from tl_core.data.imports.sources import SourceFile
from tl_core.errors import DataError, DatasetNotFoundError
from tl_core.machine.progress import UNATTENDED
from tl_core.storage.files import read_json


@pytest.fixture
def labelling(workspace):
    made = new_collection(workspace)
    files = [SourceFile((f"{seed}.png",), 1, lambda seed=seed: picture(seed)) for seed in range(12)]  # type: ignore[misc]
    bring(workspace, made.id, "", files)
    return begin_labelling(workspace, made.id, "Pets", ["cat", " dog ", "cat"])


def test_answers_are_kept_and_taken_back(workspace, labelling):
    first, second, third = (picture.id for picture in labelling.collection.pictures[:3])
    point(workspace, labelling.id, [first, second], "cat")
    point(workspace, labelling.id, [second], "dog")
    point(workspace, labelling.id, [third], None)
    found = load_labelling(workspace, labelling.id)
    assert found.classes == ("cat", "dog")
    assert (found.clicked, found.skipped) == ({first: "cat", second: "dog"}, {third})
    assert list_labellings(workspace) == [found]
    take_back(workspace, labelling.id)
    found = take_back(workspace, labelling.id)
    assert (found.clicked, found.skipped) == ({first: "cat", second: "cat"}, frozenset())
    assert add_class(workspace, labelling.id, "cow").classes == ("cat", "dog", "cow")
    with pytest.raises(DataError, match="A class needs a name"):
        add_class(workspace, labelling.id, " ")


def test_names_that_are_no_two_classes_are_refused_with_the_way_to_tell_them_apart(workspace, labelling):
    with pytest.raises(DataError, match=r"You named one class\. Put a comma between the names: cat, dog\."):
        begin_labelling(workspace, labelling.id, "Pets", ["cat dog"])
    with pytest.raises(DataError, match=r"You named no class\. Put a comma between the names: cat, dog\."):
        begin_labelling(workspace, labelling.id, "Pets", [])


def test_nothing_is_concluded_while_pictures_of_one_class_alone_are_known(workspace, labelling, monkeypatch):
    ids = [picture.id for picture in labelling.collection.pictures]
    features = np.random.default_rng(0).random((len(ids), 8), np.float32)
    monkeypatch.setattr(FeatureSource, "read", lambda _: features)
    pointer = Pointer(labelling, UNATTENDED)
    assert pointer.standing(point(workspace, labelling.id, ids[:5], "cat")).concluded == {}
    both = pointer.standing(point(workspace, labelling.id, ids[5:8], "dog"))
    assert set(both.concluded) == set(ids[8:])


@pytest.mark.parametrize(("pictures", "label"), [(["gone"], "cat"), ([], "cat"), (None, "cow")])
def test_an_answer_that_fits_nothing_is_refused(workspace, labelling, pictures, label):
    chosen = [labelling.collection.pictures[0].id] if pictures is None else pictures
    with pytest.raises(DataError):
        point(workspace, labelling.id, chosen, label)
    assert load_labelling(workspace, labelling.id) == labelling


def test_the_dataset_has_what_was_clicked_and_what_is_sure_and_keeps_them_apart(workspace, labelling):
    ids = [picture.id for picture in labelling.collection.pictures]
    point(workspace, labelling.id, ids[:4], "cat")
    point(workspace, labelling.id, ids[4:8], "dog")
    found = point(workspace, labelling.id, [ids[8]], None)
    concluded = {ids[9]: Conclusion("cat", 0.9), ids[10]: Conclusion("dog", 0.5), ids[11]: Conclusion("dog", 0.95)}
    dataset = finish_labelling(workspace, found, concluded, least=0.8)
    assert {name: sum(parts.values()) for name, parts in dataset.counts().items()} == {"cat": 5, "dog": 5}
    assert [skipped.reason for skipped in dataset.skipped] == [
        "It was skipped while labelling.",
        "Its class was not sure enough: dog, 50 %.",
    ]
    record = read_json(dataset.path / "labelling.json")
    assert (len(record["clicked"]), len(record["concluded"])) == (8, 2)
    assert dataset.source == "labelling by pointing (8 images by hand, 2 concluded)"
    with pytest.raises(DatasetNotFoundError):
        load_labelling(workspace, labelling.id)
