"""A dataset can be changed, and nothing of it is lost."""

from __future__ import annotations

import json

import pytest

from tests.hostile.pictures import encoded, noise, png
from tl_core.data import import_uploads, load_dataset, rename_dataset
from tl_core.data.correction import put_into_class
from tl_core.data.editing import (
    add_images,
    delete_class,
    divide_again,
    find_images,
    keep_together,
    merge_classes,
    move_images,
    remove_duplicates,
    remove_images,
    rename_class,
)
from tl_core.data.health import health_report
from tl_core.data.revisions import redo, revision_after, revision_before, undo
from tl_core.errors import DataError, DatasetNotFoundError, NotEnoughDataError, NotYoursError
from tl_core.storage.ownership import claim
from tl_core.storage.workspace import Workspace


@pytest.fixture
def dataset(workspace):
    images = {
        name: [(f"{name}{number}.png", png(20 * place + number)) for number in range(10)]
        for place, name in enumerate("abc")
    }
    return import_uploads(workspace, images, "Letters")


def names(dataset, label=None, split=None):
    return {
        record.source_name.rpartition("/")[2]
        for record in dataset.images
        if label in (None, dataset.classes[record.label]) and split in (None, record.split)
    }


def some(dataset, label, split="train", count=2):
    return [r for r in dataset.images if dataset.classes[r.label] == label and r.split == split][:count]


def manifest(dataset):
    return json.loads((dataset.path / "manifest.json").read_text("utf-8"))


def test_images_move_to_another_class_and_split_and_back_again(dataset, workspace):
    chosen = some(dataset, "a")
    moved = move_images(workspace, dataset.id, chosen, to_class="b", to_split="test")
    assert names(moved, "b", "test") == names(dataset, "b", "test") | {
        r.source_name.rpartition("/")[2] for r in chosen
    }
    assert (moved.revision, [r.number for r in moved.revisions]) == (2, [1, 2])
    assert moved.revisions[-1].what == "Moved 2 images to b and test"
    assert moved.fingerprint != dataset.fingerprint
    assert [r.file for r in moved.images] == [r.file for r in dataset.images], "each keeps its place"
    listed = {entry["source_name"]: entry for entry in manifest(moved)["images"]}
    assert {listed[r.source_name]["split"] for r in chosen} == {"test"}
    assert load_dataset(dataset.path, 1).images == dataset.images, "the first revision is as it was"

    back = undo(workspace, dataset.id)
    assert (back.images, back.classes, back.fingerprint) == (dataset.images, dataset.classes, dataset.fingerprint)
    assert revision_before(back) is None
    again = redo(workspace, dataset.id)
    assert (again.revision, again.images) == (2, moved.images)
    assert revision_after(again) is None


def test_a_change_after_undoing_is_a_branch_and_the_other_is_kept(dataset, workspace):
    first = remove_images(workspace, dataset.id, some(dataset, "a"))
    undo(workspace, dataset.id)
    second = remove_images(workspace, dataset.id, some(dataset, "b"))
    assert [(r.number, r.parent) for r in second.revisions] == [(1, None), (2, 1), (3, 1)]
    assert load_dataset(dataset.path, 2).images == first.images
    undo(workspace, dataset.id)
    assert redo(workspace, dataset.id).revision == 3
    with pytest.raises(DataError, match="no change of “Letters” was undone"):
        redo(workspace, dataset.id)


def test_what_was_removed_stays_on_the_disk_for_the_revision_that_names_it(dataset, workspace):
    chosen = some(dataset, "c")
    smaller = remove_images(workspace, dataset.id, chosen)
    assert len(smaller.images) == 28
    assert all(dataset.path_of(record).is_file() for record in chosen)


def test_images_are_added_to_a_class_and_to_a_new_one(dataset, workspace):
    uploads = {
        "a": [("more.png", png(500)), ("again.png", png(0)), ("bad.png", b"no image")],
        "d": [(f"d{n}.png", png(600 + n)) for n in range(10)],
    }
    larger, skipped = add_images(workspace, dataset.id, uploads)
    assert larger.classes == ("a", "b", "c", "d")
    assert "more.png" in names(larger, "a", "train")
    assert names(larger, "d", "validation")
    assert names(larger, "d", "test")
    assert {file.name.rpartition("/")[2] for file in skipped} == {"again.png", "bad.png"}
    assert larger.revisions[-1].what == "Added 11 images to a, d"
    assert all(larger.path_of(record).is_file() for record in larger.images)
    with pytest.raises(DataError, match="None of the 1 file was added: The same image is in the class a already"):
        add_images(workspace, dataset.id, {"a": [("more.png", png(500))]})


def test_classes_are_renamed_merged_and_deleted(dataset, workspace):
    renamed = rename_class(workspace, dataset.id, "a", "z")
    assert renamed.classes == ("b", "c", "z")
    assert names(renamed, "z") == names(dataset, "a")
    merged = merge_classes(workspace, dataset.id, ["b", "c"], "b")
    assert (merged.classes, len(names(merged, "b"))) == (("b", "z"), 20)
    assert [r.what for r in merged.revisions[1:]] == ["Renamed a to z", "Merged c into b"]
    with pytest.raises(DataError, match="Only 1 class would be left"):
        delete_class(workspace, dataset.id, "z")
    undo(workspace, dataset.id)
    assert delete_class(workspace, dataset.id, "z").classes == ("b", "c")
    with pytest.raises(DataError, match="no class “q”: its classes are b, c"):
        rename_class(workspace, dataset.id, "q", "r")


def test_a_class_may_be_named_like_a_path_and_no_file_is(dataset, workspace):
    before = sorted(path for path in workspace.root.parent.rglob("*") if path.is_file())
    renamed = merge_classes(workspace, dataset.id, [dataset.classes[0]], "../../x")
    assert "../../x" in renamed.classes
    after = sorted(path for path in workspace.root.parent.rglob("*") if path.is_file())
    assert {path for path in after if path.suffix in (".png", ".jpg")} == {
        path for path in before if path.suffix in (".png", ".jpg")
    }
    assert all(path.is_relative_to(workspace.root) for path in set(after) - set(before))


@pytest.mark.parametrize("name", ["", " ", "\u200b\n"])
def test_a_class_needs_a_name_that_can_be_read(dataset, workspace, name):
    chosen = some(dataset, "a")
    for change in (
        lambda: rename_class(workspace, dataset.id, "a", name),
        lambda: merge_classes(workspace, dataset.id, ["a", "b"], name),
        lambda: move_images(workspace, dataset.id, chosen, to_class=name),
        lambda: put_into_class(workspace, dataset.id, "new.png", png(900), name),
    ):
        with pytest.raises(DataError, match="A class needs a name that can be read"):
            change()
    assert load_dataset(dataset.path) == dataset


def test_to_add_nothing_is_refused_in_a_sentence(dataset, workspace):
    with pytest.raises(DataError, match="There are no files to add"):
        add_images(workspace, dataset.id, {"a": []})


def test_copies_are_removed_and_the_one_to_test_with_stays(dataset, workspace):
    with pytest.raises(DataError, match="No class of “Letters” has an image twice"):
        remove_duplicates(workspace, dataset.id)
    held_out = some(dataset, "a", "test", 1)[0]
    add_images(workspace, dataset.id, {"b": [("twin.png", dataset.path_of(held_out).read_bytes())]})
    merge_classes(workspace, dataset.id, ["a", "b"], "ab")
    single = remove_duplicates(workspace, dataset.id)
    assert len(single.images) == len(dataset.images)
    assert [r.split for r in single.images if r.pixels_sha256 == held_out.pixels_sha256] == ["test"]
    assert single.revisions[-1].what == "Removed 1 exact copy"


def test_look_alikes_across_the_split_are_put_on_one_side(workspace):
    def scene(seed, **options):
        return encoded(noise(seed, 7, 7).resize((200, 200)), **options)

    images = {name: [(f"{n}.png", scene(100 * place + n)) for n in range(12)] for place, name in enumerate("ab")}
    dataset = import_uploads(workspace, images, "Scenes")
    with pytest.raises(DataError, match="No two images of “Scenes” look alike across the split"):
        keep_together(workspace, dataset.id)
    held_out = some(dataset, "a", "test", 1)[0]
    number = int(held_out.source_name.rpartition("/")[2].removesuffix(".png"))
    twin = scene(number, format="JPEG", quality=90)
    leaky, _ = add_images(workspace, dataset.id, {"a": [("twin.jpg", twin)]}, split="train")
    [finding] = [found for found in health_report(leaky) if "keep_together" in found.mends]
    assert finding.mends == ("keep_together", "divide_again")
    assert [{image.source_name.rpartition("/")[2] for image in group} for group in finding.groups] == [
        {"twin.jpg", f"{number}.png"}
    ]
    together = keep_together(workspace, dataset.id)
    assert [r.split for r in together.images if r.pixels_sha256 == held_out.pixels_sha256] == ["train"]
    assert together.revisions[-1].what == "Moved 1 image to training, where look-alikes are"
    assert not [found for found in health_report(together) if found.mends == finding.mends]
    undo(workspace, dataset.id)
    alone = keep_together(workspace, dataset.id, finding.groups[0])
    assert alone.images == together.images


def test_dividing_again_keeps_every_image(dataset, workspace):
    lopsided = move_images(workspace, dataset.id, some(dataset, "a", "test", 9), to_split="train")
    divided = divide_again(workspace, dataset.id)
    assert {r.file for r in divided.images} == {r.file for r in lopsided.images}
    assert names(divided, "a", "test")
    assert divided.revisions[-1].what == "Split again"


def test_dividing_again_keeps_the_pairs_of_an_audit_on_one_side(dataset, workspace):
    of_a = [record for record in dataset.images if dataset.classes[record.label] == "a"]
    pairs = list(zip(of_a[:5], of_a[5:], strict=True))
    where = {record.pixels_sha256: record.split for record in divide_again(workspace, dataset.id, alike=pairs).images}
    assert [where[one.pixels_sha256] for one, _ in pairs] == [where[other.pixels_sha256] for _, other in pairs]


def test_a_change_that_leaves_nothing_to_learn_from_is_refused_and_changes_nothing(dataset, workspace):
    training = some(dataset, "a", count=99)
    with pytest.raises(NotEnoughDataError, match="“a” would have no image to train on"):
        remove_images(workspace, dataset.id, training)
    held_out = [record for record in dataset.images if record.split == "validation"]
    with pytest.raises(NotEnoughDataError, match="No image would be left to validate with"):
        move_images(workspace, dataset.id, held_out, to_split="test")
    with pytest.raises(DataError, match="no split “testing”"):
        move_images(workspace, dataset.id, held_out, to_split="testing")
    with pytest.raises(DataError, match="No image is chosen"):
        remove_images(workspace, dataset.id, [])
    assert load_dataset(dataset.path) == dataset
    assert not (dataset.path / "revisions").exists()


def test_an_image_that_somebody_else_changed_meanwhile_is_not_changed_again(dataset, workspace):
    chosen = some(dataset, "a")
    remove_images(workspace, dataset.id, chosen[:1])
    with pytest.raises(DataError, match="changed or removed meanwhile"):
        move_images(workspace, dataset.id, chosen, to_class="b")


def test_a_change_without_effect_makes_no_revision(dataset, workspace):
    assert move_images(workspace, dataset.id, some(dataset, "a"), to_class="a").revision == 1


def test_images_are_found_by_source_name_and_by_file(dataset):
    record = dataset.images[3]
    assert find_images(dataset, [record.source_name]) == find_images(dataset, [record.file]) == [record]
    with pytest.raises(DataError, match="has no image “nothing"):
        find_images(dataset, ["nothing.png"])


def test_a_dataset_of_before_opens_as_its_first_revision(dataset, workspace):
    old = {name: value for name, value in manifest(dataset).items() if not name.startswith("revision")}
    (dataset.path / "manifest.json").write_text(json.dumps(old), "utf-8")
    opened = load_dataset(dataset.path)
    assert (opened.revision, len(opened.revisions), opened.images) == (1, 1, dataset.images)
    assert opened.revisions[0].when == dataset.created
    moved = move_images(workspace, dataset.id, some(opened, "a"), to_class="b")
    assert (moved.revision, load_dataset(dataset.path, 1).images) == (2, dataset.images)


def test_renaming_keeps_the_chain(dataset, workspace):
    remove_images(workspace, dataset.id, some(dataset, "a"))
    renamed = rename_dataset(workspace, dataset.id, "Alphabet")
    assert (renamed.revision, load_dataset(dataset.path, 1).name) == (2, "Alphabet")


def test_only_its_owner_changes_a_dataset_and_is_named(dataset, workspace):
    mine, other = Workspace(workspace.root, "a" * 32), Workspace(workspace.root, "b" * 32)
    claim(mine, dataset.path)
    with pytest.raises(NotYoursError):
        remove_images(other, dataset.id, some(dataset, "a"))
    assert remove_images(mine, dataset.id, some(dataset, "a")).revisions[-1].by == "a" * 32


def test_a_revision_or_a_dataset_that_is_not_there_is_a_sentence(dataset, workspace):
    with pytest.raises(DataError, match="no revision 7: its revisions are 1"):
        load_dataset(dataset.path, 7)
    with pytest.raises(DatasetNotFoundError):
        undo(workspace, "nothing-" + "0" * 32)
