"""Changed pictures of one thing are found when a dataset is made, and stand on one side of its split (case 6)."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tests.hostile.pictures import encoded
from tl_core.data import import_folder, import_uploads, load_dataset
from tl_core.data.dataset import Dataset, ImageRecord, write_manifest
from tl_core.data.editing import add_images, divide_again, keep_together, merge_classes, move_images
from tl_core.data.health import health_report
from tl_core.data.split import SplitConfig, groups_of_images
from tl_core.errors import StoppedError
from tl_core.machine.progress import TaskContext

SCENES = 28


def scene(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC)


def saved_at(quality: int, image: Image.Image) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=quality)))


CHANGES = {
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "cropped": lambda image: image.crop((6, 13, 83, 90)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "quality 50": lambda image: saved_at(50, image),
    "half size": lambda image: image.resize((48, 48)),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


def scene_of(record: ImageRecord) -> str:
    return record.source_name.rpartition("/")[2].partition(".")[0].partition(" ")[0]


def torn(dataset: Dataset) -> set[str]:
    """The scenes of which one picture is for training and another is not."""
    sides: dict[str, set[bool]] = {}
    for record in dataset.images:
        sides.setdefault(scene_of(record), set()).add(record.split == "train")
    return {name for name, found in sides.items() if len(found) > 1}


def scenes() -> dict[str, bytes]:
    """The scenes of two classes alone, as files of a folder."""
    return {f"{'left' if number % 2 else 'right'}/{number}.png": encoded(scene(number)) for number in range(SCENES)}


def pictures(*parts: str) -> dict[str, bytes]:
    """Two classes of scenes, each with its changed picture, as files of a folder; of each kind some in both classes.

    Args:
        parts: the folder of the scenes, and that of the changed pictures.
    """
    kinds, found = list(CHANGES), {}
    first, changed = parts or ("", "")
    for number in range(SCENES):
        label, kind = "left" if number % 2 else "right", kinds[number // 2 % len(kinds)]
        found[f"{first}{label}/{number}.png"] = encoded(scene(number))
        found[f"{changed}{label}/{number} {kind}.png"] = encoded(CHANGES[kind](scene(number)))
    return found


def test_a_changed_picture_stays_on_the_side_of_the_first(workspace, make_folder):
    dataset = import_folder(workspace, make_folder(pictures()), "Twins")
    assert torn(dataset) == set()
    assert len(dataset.of_split("test")) >= 4
    assert torn(divide_again(workspace, dataset.id)) == set(), "what was found is kept"
    assert len(set(groups_of_images(dataset.images))) == SCENES, "and is one group of a cross-validation"


def test_a_split_that_comes_with_changed_pictures_on_both_sides_is_a_warning(workspace, make_folder):
    dataset = import_folder(workspace, make_folder(pictures("train/", "valid/")), "Twins")
    findings = [found for found in health_report(dataset) if "keep_together" in found.mends]
    assert {found.level for found in findings} == {"warning"}
    assert {scene_of(record) for found in findings for record in found.images} == torn(dataset)
    (finding,) = [found for found in findings if "turned, mirrored, cropped or in another light" in found.text]
    assert finding.text.startswith(f"{len(finding.groups)} images show the same as one to train on")
    kinds = {record.source_name.rpartition(" ")[2] for record in finding.images if record.split != "train"}
    assert {"mirrored.png", "turned.png", "cropped.png"} <= kinds
    mended = keep_together(workspace, dataset.id, finding.groups[0])
    assert torn(mended) == torn(dataset) - {scene_of(finding.groups[0][0])}


def test_pictures_that_are_all_much_alike_tell_of_no_twins(workspace):
    rng = np.random.default_rng(0)
    base = np.asarray(scene(0), np.float32)
    alike = {
        name: [
            (f"{n}.png", encoded(Image.fromarray(np.clip(base + rng.normal(0, 40, base.shape), 0, 255).astype("u1"))))
            for n in range(12)
        ]
        for name in ("a", "b")
    }
    dataset = import_uploads(workspace, alike, "Alike")
    assert not [record for record in dataset.images if record.twins]
    assert load_dataset(dataset.path).of_split("test")


def test_the_search_can_be_stopped(workspace, make_folder):
    class Stops(TaskContext):
        asked = 0

        def should_stop(self) -> bool:
            self.asked += 1
            return self.asked > 2 * SCENES + 1  # all pictures are stored by then

    with pytest.raises(StoppedError, match="nothing of it was kept"):
        import_folder(workspace, make_folder(pictures()), "Twins", task=Stops())
    assert not list(workspace.datasets.iterdir())


def test_images_that_are_added_join_the_side_of_what_they_show(workspace, make_folder):
    dataset = import_folder(workspace, make_folder(scenes()), "Scenes")
    added: dict[str, list[tuple[str, bytes]]] = {"left": [], "right": []}
    for number in range(SCENES):
        kind = list(CHANGES)[number // 2 % len(CHANGES)]
        picture = encoded(CHANGES[kind](scene(number)))
        added["left" if number % 2 else "right"].append((f"{number} {kind}.png", picture))
    held_out = len(dataset.of_split("validation")) + len(dataset.of_split("test"))
    larger, _ = add_images(workspace, dataset.id, added)
    assert torn(larger) == set()
    assert larger.revisions[-1].what == (
        f"Added {SCENES} images to left, right, {held_out} of them held out, as pictures are that look alike"
    )
    assert {image.pixels_sha256: image.split for image in dataset.images}.items() <= {
        image.pixels_sha256: image.split for image in larger.images
    }.items(), "what was there stays where it was"


def test_images_that_are_added_to_a_part_by_name_are_found_by_the_health_report(workspace, make_folder):
    dataset = import_folder(workspace, make_folder(scenes()), "Scenes")
    held_out = dataset.of_split("test")[0]
    label, number = dataset.classes[held_out.label], int(scene_of(held_out))
    mirrored = encoded(CHANGES["mirrored"](scene(number)))
    leaky, _ = add_images(workspace, dataset.id, {label: [(f"{number} mirrored.png", mirrored)]}, split="train")
    assert torn(leaky) == {str(number)}
    (finding,) = [found for found in health_report(leaky) if "keep_together" in found.mends]
    assert {scene_of(record) for record in finding.images} == {str(number)}
    fresh = encoded(CHANGES["turned"](scene(number)))
    third, _ = add_images(workspace, leaky.id, {label: [(f"{number} turned.png", fresh)]})
    assert len({record.twins for record in third.images if scene_of(record) == str(number)}) == 1
    assert [record.split for record in third.images if "turned" in record.source_name] == ["train"], (
        "it is torn already"
    )


def test_changed_pictures_of_a_new_class_stay_together(workspace, make_folder):
    dataset = import_folder(workspace, make_folder(scenes()), "Scenes")
    new = {f"{number}.png": scene(number) for number in range(100, 110)}
    new |= {f"{number} mirrored.png": CHANGES["mirrored"](scene(number)) for number in range(100, 110)}
    fresh = [(name, encoded(picture)) for name, picture in new.items()]
    larger, _ = add_images(workspace, dataset.id, {"new": fresh})
    assert torn(larger) == set()
    assert set(larger.counts()["new"].values()) == {16, 2}


@pytest.fixture
def leaky_classes(workspace, make_folder):
    """The scenes to train on, and to validate with their mirror images, which somebody has put into another class."""
    found = {}
    for number in range(SCENES):
        label, other = ("left", "right") if number % 2 else ("right", "other")
        found[f"train/{label}/{number}.png"] = encoded(scene(number))
        found[f"valid/{label}/{100 + number}.png"] = encoded(scene(100 + number))
        if label == "right":
            found[f"valid/{other}/{number} mirrored.png"] = encoded(CHANGES["mirrored"](scene(number)))
            found[f"train/{other}/{200 + number}.png"] = encoded(scene(200 + number))
    dataset = import_folder(workspace, make_folder(found), "Leaky")
    assert not said_to_leak(dataset), "they are of two classes"
    return dataset


def said_to_leak(dataset: Dataset) -> set[str]:
    return {scene_of(r) for found in health_report(dataset) if "keep_together" in found.mends for r in found.images}


def test_images_that_are_moved_are_compared_with_the_class_they_come_to(workspace, leaky_classes):
    mirrored = [record for record in leaky_classes.images if "mirrored" in record.source_name][:3]
    moved = move_images(workspace, leaky_classes.id, mirrored, to_class="right")
    leaking = {scene_of(record) for record in mirrored} & torn(moved)
    assert said_to_leak(moved) == leaking != set()
    assert not torn(divide_again(workspace, moved.id)) & leaking


def test_classes_that_are_merged_are_compared_with_each_other(workspace, leaky_classes):
    merged = merge_classes(workspace, leaky_classes.id, ["other", "right"], "scene")
    assert said_to_leak(merged) == torn(merged) != set()


def test_a_split_that_is_drawn_anew_looks_for_what_was_never_looked_for(workspace, make_folder):
    """As in datasets of older versions."""
    dataset = import_folder(workspace, make_folder(pictures()), "Twins")
    never = dataclasses.replace(dataset, images=tuple(dataclasses.replace(r, twins="") for r in dataset.images))
    write_manifest(never)
    assert torn(divide_again(workspace, dataset.id, SplitConfig(seed=3))) == set()


def test_a_damaged_file_does_not_keep_an_image_from_its_class(workspace, leaky_classes):
    mirrored = [record for record in leaky_classes.images if "mirrored" in record.source_name][:1]
    leaky_classes.path_of(leaky_classes.of_split("train")[-1]).write_bytes(b"")
    assert len(move_images(workspace, leaky_classes.id, mirrored, to_class="right").images) == len(
        leaky_classes.images
    )
