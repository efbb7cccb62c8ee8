"""What the points of the map are coloured by."""

from __future__ import annotations

import pytest

from tests.ui.trained_runs import colour_dataset, coloured
from tl_core.data.editing import add_images, move_images
from tl_core.storage.workspace import Workspace
from ui.data_page.image_map.colours import by_class, by_revision, by_split, by_verdict, describe


@pytest.fixture
def dataset(tmp_path):
    return colour_dataset(Workspace(tmp_path / "workspace").ensure(), each=8)


def test_classes_and_parts_are_groups(dataset):
    found = by_class(dataset)
    assert [group.name for group in found.groups] == ["blue", "red"]
    assert found.group_of == tuple(record.label for record in dataset.images)
    parts = by_split(dataset)
    assert [parts.groups[group].name for group in parts.group_of] == [
        {"train": "Training", "validation": "Validation", "test": "Test"}[record.split] for record in dataset.images
    ]
    text = describe(found, "class")
    assert text == ("Map of 16 images, those that look alike beside each other, coloured by class. blue: 8, red: 8.")


def test_no_two_of_forty_classes_have_the_same_colour_and_shape(dataset):
    many = by_class(
        type(dataset)(**{**{f: getattr(dataset, f) for f in dataset.__slots__}, "classes": tuple("c" * 40)})
    )
    assert len({(group.color, group.symbol) for group in many.groups}) == 40


def test_an_image_belongs_to_the_revision_that_brought_it_whatever_became_of_it_since(dataset):
    room = dataset.workspace
    grown, _ = add_images(room, dataset.id, {"red": [("new.png", coloured((200, 60, 60), 999))]})
    moved = move_images(room, dataset.id, [grown.images[0]], to_class="red")
    found = by_revision(moved)
    assert [group.name for group in found.groups] == [
        "Revision 1: Imported from uploaded images",
        "Revision 2: Added 1 image to red",
    ]
    new = next(row for row, record in enumerate(moved.images) if record.source_name.endswith("new.png"))
    assert [row for row, group in enumerate(found.group_of) if group == 1] == [new]


def test_answers_are_held_against_the_present_labels(dataset):
    answers = {record.pixels_sha256: "red" for record in dataset.images[:-1]}
    found = by_verdict(dataset, answers, "right", "wrong", "not asked")
    assert [group.name for group in found.groups] == ["right", "wrong", "not asked"]
    expected = [0 if dataset.classes[record.label] == "red" else 1 for record in dataset.images[:-1]]
    assert list(found.group_of) == [*expected, 2]
    everybody = {record.pixels_sha256: "red" for record in dataset.images}
    assert len(by_verdict(dataset, everybody, "right", "wrong", "not asked").groups) == 2
