"""From a wrong answer back to the images."""

from __future__ import annotations

import pytest

from tests.hostile.pictures import encoded, noise, png
from tl_core.data import import_uploads
from tl_core.data.correction import changes_since, present_image, put_into_class
from tl_core.data.editing import move_images, remove_images
from tl_core.data.revisions import undo
from tl_core.errors import DataError, ImageError, NotYoursError
from tl_core.storage.ownership import claim
from tl_core.storage.workspace import Workspace


@pytest.fixture
def dataset(workspace):
    images = {
        name: [(f"{number}.png", png(20 * place + number)) for number in range(10)] for place, name in enumerate("ab")
    }
    return import_uploads(workspace, images, "Letters")


def of(dataset, name):
    return [(dataset.classes[image.label], image.split) for image in dataset.images if image.source_name == name]


def test_a_new_photo_becomes_a_training_image_of_a_class_there_is_or_of_a_new_one(workspace, dataset):
    put_into_class(workspace, dataset.id, "mine.png", png(99), "a")
    changed = put_into_class(workspace, dataset.id, "other.png", png(98), "c")
    assert of(changed, "a/mine.png") == [("a", "train")]
    assert of(changed, "c/other.png") == [("c", "train")]
    assert [made.what for made in changes_since(changed, 1)] == ["Added 1 image to a", "Added 1 image to c"]


def test_a_test_image_is_moved_and_never_learned_from_as_well(workspace, dataset):
    record = next(image for image in dataset.images if image.split == "test" and dataset.classes[image.label] == "a")
    data = dataset.path_of(record).read_bytes()
    changed = put_into_class(workspace, dataset.id, "downloaded.png", data, "b")
    assert [(changed.classes[image.label], image.split) for image in changed.images if image.file == record.file] == [
        ("b", "test")
    ]
    with pytest.raises(DataError, match="in the class b already"):
        put_into_class(workspace, dataset.id, "again.png", data, "b")


def test_an_image_that_is_stored_as_jpeg_is_known_by_the_hash_of_its_pixels(workspace):
    images = {
        name: [(f"{number}.jpg", encoded(noise(20 * place + number, 400, 300), "JPEG")) for number in range(8)]
        for place, name in enumerate("ab")
    }
    dataset = import_uploads(workspace, images, "Photos")
    record = dataset.of_split("validation")[0]
    other = next(name for name in dataset.classes if name != dataset.classes[record.label])
    data = dataset.path_of(record).read_bytes()
    changed = put_into_class(workspace, dataset.id, "x.jpg", data, other, pixels_sha256=record.pixels_sha256)
    assert len(changed.images) == len(dataset.images)
    assert changed.revisions[-1].what == f"Moved 1 image to {other}"


def test_what_is_no_picture_and_what_is_somebody_elses_is_refused(workspace, dataset):
    with pytest.raises(ImageError):
        put_into_class(workspace, dataset.id, "a.txt", b"text", "a")
    hers, his = (Workspace(workspace.root, person) for person in ("hers", "his"))
    claim(hers, dataset.path)
    with pytest.raises(NotYoursError):
        put_into_class(his, dataset.id, "mine.png", png(99), "a")


def test_the_changes_since_a_revision_are_named_and_undone_ones_are_not(workspace, dataset):
    first, second = dataset.of_split("train")[:2]
    assert changes_since(dataset, 1) == []
    changed = remove_images(workspace, dataset.id, [first])
    assert [made.number for made in changes_since(changed, 1)] == [2]
    undo(workspace, dataset.id)
    changed = remove_images(workspace, dataset.id, [second])
    assert [made.number for made in changes_since(changed, 1)] == [3]
    assert changes_since(changed, 2) is None, "the present images were not made from the second revision"


def test_an_image_is_found_again_wherever_it_went(workspace, dataset):
    moved, removed, kept = dataset.of_split("train")[:3]
    target = next(name for name in dataset.classes if name != dataset.classes[moved.label])
    move_images(workspace, dataset.id, [moved], to_class=target)
    now = remove_images(workspace, dataset.id, [removed])
    found = present_image(dataset, moved, now)
    assert found is not None
    assert now.classes[found.label] == target
    assert present_image(dataset, removed, now) is None
    assert present_image(dataset, kept, now) == kept
