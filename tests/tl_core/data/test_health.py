from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from tests.hostile.pictures import encoded, noise, png
from tl_core.data.dataset import Dataset
from tl_core.data.health import health_report
from tl_core.data.imports.importing import DEFAULT_SPLIT, import_folder, import_uploads
from tl_core.data.split import SplitConfig

Files = list[tuple[str, bytes]]


def pictures(first: int, count: int, size: int = 48) -> Files:
    return [(f"{number}.png", png(number, size, size)) for number in range(first, first + count)]


def scene(seed: int) -> Image.Image:
    """A picture with large forms, which stays recognisable as a JPEG."""
    return noise(seed, 7, 7).resize((200, 200))


@pytest.fixture
def report(workspace):
    """The findings about uploads, as text by level."""

    def make(uploads: dict[str, Files], split: SplitConfig = DEFAULT_SPLIT) -> dict[str, str]:
        return texts(import_uploads(workspace, uploads, "set", split))

    return make


def texts(dataset: Dataset) -> dict[str, str]:
    found: dict[str, str] = {"warning": "", "note": "", "good": ""}
    for finding in health_report(dataset):
        found[finding.level] += finding.text + "\n"
    return found


def test_a_healthy_set_is_praised_and_nothing_else(report):
    found = report({"cats": pictures(0, 45), "dogs": pictures(100, 45)})
    assert found["warning"] == found["note"] == ""
    for praise in ("at least 31 images", "similar size", "more than one part", "No duplicates", "could be read"):
        assert praise in found["good"]


def test_blank_and_very_dark_pictures_are_named(report):
    dark = encoded(Image.fromarray(np.asarray(noise(900, 48, 48)) // 8))
    cats = [*pictures(0, 43), ("dark.png", dark), ("white.png", encoded(Image.new("RGB", (48, 48), "white")))]
    found = report({"cats": cats, "dogs": pictures(100, 45)})
    assert "1 image is blank, one colour all over: cats/white.png" in found["note"]
    assert "1 image is very dark, so little can be seen in them: cats/dark.png" in found["note"]


def test_a_shape_that_tells_the_classes_apart_is_a_warning(report):
    def drawn(first: int, width: int) -> Files:
        return [(f"{number}.png", png(number, width, 60)) for number in range(first, first + 20)]

    found = report({"circles": drawn(0, 60), "ellipses": drawn(100, 120)})
    assert "tells the classes apart by itself: 100.0 % right, and 50.0 % by guessing" in found["warning"]
    mixed = report({"circles": drawn(0, 60) + drawn(50, 120), "ellipses": drawn(100, 120) + drawn(150, 60)})
    assert "apart by itself" not in "".join(mixed.values())


@pytest.mark.slow
def test_a_film_that_came_as_numbered_files_and_was_torn_apart_is_a_warning(workspace, tmp_path):
    """As the published splits of films often are: every frame drawn by itself."""
    for place, name in enumerate("abcdef"):
        photo = scene(40 + place).resize((300, 300))
        for number in range(10):
            shown = photo.crop((4 * number, 0, 220 + 4 * number, 220))
            folder = (
                tmp_path / "films" / ("valid" if number % 4 == 2 else "train") / ("cats" if place % 2 else "dogs")
            )
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}_{number:03}.png").write_bytes(encoded(shown))
    found = texts(import_folder(workspace, tmp_path / "films", "Films"))
    assert (
        "Frames of one recording or series are in training and in validation or test: cats, dogs." in found["warning"]
    )


def test_too_few_images_are_named_with_their_number(report):
    found = report({"cats": pictures(0, 45), "dogs": pictures(100, 6), "owls": pictures(200, 20)})
    assert "Fewer than 10 images to train on: dogs (4)" in found["warning"]
    assert "Few images to train on" not in found["note"]
    assert "Few images to train on: owls (14)" in report({"cats": pictures(0, 45), "owls": pictures(200, 20)})["note"]


@pytest.mark.parametrize(
    ("small", "level", "says"), [(4, "warning", "Very uneven"), (10, "note", "uneven"), (20, "good", "not much")]
)
def test_imbalance_is_judged_by_the_largest_and_the_smallest_class(report, small, level, says):
    found = report({"cats": pictures(0, 44), "dogs": pictures(100, small), "owls": pictures(200, 30)})
    assert says in found[level]
    if level != "good":
        assert "44 images of “cats”" in found[level]
        assert f"{small} of “dogs”" in found[level]


def test_exact_copies_are_counted_and_do_not_leak(report):
    found = report({"cats": [*pictures(0, 20), ("again.png", png(3, 48, 48))], "dogs": pictures(100, 20)})
    assert "1 image is an exact copy of another" in found["note"]
    assert "more than one part" in found["good"]


def test_a_picture_under_two_classes_is_a_warning_that_names_it(report):
    found = report({"cats": pictures(0, 20), "dogs": [*pictures(100, 20), ("same.png", png(3, 48, 48))]})
    assert "1 image lies in more than one class: cats/3.png = dogs/same.png" in found["warning"]


def test_pictures_that_look_alike_are_noted(report):
    twin = ("twin.jpg", encoded(scene(3), "JPEG", quality=90))
    found = report({"cats": [*pictures(0, 20), ("big.png", encoded(scene(3))), twin], "dogs": pictures(100, 20)})
    assert "1 pair is nearly the same picture in one class: cats/big.png ≈ cats/twin.jpg" in found["note"]


def test_leaks_between_given_splits_are_a_warning(workspace, make_folder, two_classes):
    files = two_classes(12, "train/") | {
        f"test/{name}/{n}.png": png(500 + 10 * place + n)
        for place, name in enumerate(("cats", "dogs"))
        for n in range(3)
    }
    files["test/cats/leak.png"] = files["train/cats/1.png"] = png(900, 200, 200)
    files["train/dogs/near.png"] = encoded(scene(901))
    files["test/dogs/near.jpg"] = encoded(scene(901), "JPEG", quality=90)
    found = texts(import_folder(workspace, make_folder(files), "leaky"))
    assert "1 image is in training and in validation or test as well" in found["warning"]
    assert "1 pair is nearly the same picture, one to train on and one to measure with" in found["warning"]


def test_files_that_were_left_out_are_counted_and_named(report):
    found = report({"cats": [*pictures(0, 20), ("bad.jpg", b"words")], "dogs": pictures(100, 20)})
    assert "1 file was left out: cats/bad.jpg" in found["note"]


def test_very_small_pictures_are_noted_and_many_of_them_are_a_warning(report):
    few = report({"cats": [*pictures(0, 20), ("tiny.png", png(99, 20, 20))], "dogs": pictures(100, 20)})
    assert "1 image is smaller than 32 pixels" in few["note"]
    many = report({"cats": pictures(0, 20, 16), "dogs": pictures(100, 20, 16)})
    assert "40 images are smaller than 32 pixels" in many["warning"]


def test_classes_that_differ_in_capitals_are_questioned(report):
    assert "Cat and cat" in report({"Cat": pictures(0, 20), "cat": pictures(100, 20)})["warning"]


def test_a_missing_test_split_is_noted(report):
    uploads = {"cats": pictures(0, 20), "dogs": pictures(100, 20)}
    assert "no test split" in report(uploads, SplitConfig(test=0))["note"]
    assert "no test split" not in report(uploads)["note"]


def test_a_class_that_is_missing_from_a_split_is_named(report):
    assert "No test images of: dogs" in report({"cats": pictures(0, 20), "dogs": pictures(100, 3)})["note"]


def test_long_lists_are_cut(workspace):
    uploads = {f"class {n}": pictures(10 * n, 3) for n in range(6)}
    text = texts(import_uploads(workspace, uploads, "many"))["warning"]
    assert "class 0 (2), class 1 (2), class 2 (2) and 3 more" in text


def test_warnings_come_first(workspace):
    dataset = import_uploads(workspace, {"a": pictures(0, 3), "b": pictures(50, 40)}, "order")
    levels = [finding.level for finding in health_report(dataset)]
    assert levels == sorted(levels, key=["warning", "note", "good"].index)


def test_a_set_without_hashes_is_judged_by_the_rest(workspace):
    dataset = import_uploads(workspace, {"a": pictures(0, 20), "b": pictures(50, 20)}, "old")
    bare = dataclasses.replace(
        dataset, images=tuple(dataclasses.replace(image, perceptual_hash="") for image in dataset.images)
    )
    assert health_report(bare) == health_report(dataset)


def test_images_of_two_classes_saved_once_more_as_jpeg_are_a_warning_with_the_pairs(workspace):
    """Case 20: the same ten pictures in both classes, in one of them as JPEG."""
    same = [scene(number) for number in range(4)]
    cats = [(f"{n}.png", encoded(image)) for n, image in enumerate(same)] + pictures(0, 20)
    dogs = [(f"{n}.jpg", encoded(image, "JPEG", quality=70)) for n, image in enumerate(same)] + pictures(100, 20)
    dataset = import_uploads(workspace, {"cats": cats, "dogs": dogs}, "set")
    (found,) = [finding for finding in health_report(dataset) if "in two classes" in finding.text]
    assert found.level == "warning"
    assert found.text.startswith("4 pairs are nearly the same picture in two classes: cats/")
    assert [image.source_name[-4:] for image in found.images[:2]] in ([".png", ".jpg"], [".jpg", ".png"])
    assert len(found.images) == 8
    assert {image.split for image in found.images} == {"train"}, "they cannot be split by class"
    assert not [finding for finding in health_report(dataset) if "one to measure with" in finding.text]
