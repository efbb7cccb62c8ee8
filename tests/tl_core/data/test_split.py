from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data as photographs

from tl_core.data.dataset import SPLITS, ImageRecord
from tl_core.data.similarity import perceptual_hash
from tl_core.data.split import PIECES, UNASSIGNED, SplitConfig, assign_splits, groups_of_images, series_of
from tl_core.errors import ConfigError, NotEnoughDataError


def image(label: int, content: object, split: str = UNASSIGNED, look: str | None = None) -> ImageRecord:
    pixels = hashlib.sha256(str(content).encode()).hexdigest()
    look = pixels if look is None else look  # 256 random bits, as different pictures have
    return ImageRecord(f"images/{pixels}.png", label, split, 8, 8, f"{content}.png", pixels, look)


def images_of(sizes: list[int]) -> list[ImageRecord]:
    return [image(label, f"{label}-{number}") for label, size in enumerate(sizes) for number in range(size)]


def counts(records: list[ImageRecord]) -> dict[int, dict[str, int]]:
    table: dict[int, Counter[str]] = {}
    for record in records:
        table.setdefault(record.label, Counter())[record.split] += 1
    return {label: {split: counter[split] for split in SPLITS} for label, counter in table.items()}


NAMES = [f"class {number}" for number in range(10)]


def test_each_class_is_divided_by_the_fractions():
    split = assign_splits(NAMES[:2], images_of([100, 40]), SplitConfig(validation=0.2, test=0.1))
    assert counts(split) == {
        0: {"train": 70, "validation": 20, "test": 10},
        1: {"train": 28, "validation": 8, "test": 4},
    }


def test_the_seed_decides_and_the_order_of_the_images_does_not():
    images = images_of([30, 30])

    def validation(config: SplitConfig, given_images: list[ImageRecord]) -> set[str]:
        return {
            record.file for record in assign_splits(NAMES[:2], given_images, config) if record.split == "validation"
        }

    assert validation(SplitConfig(seed=1), images) == validation(SplitConfig(seed=1), images[::-1])
    assert validation(SplitConfig(seed=1), images) != validation(SplitConfig(seed=2), images)


def test_another_class_does_not_change_the_split_of_the_others():
    two = assign_splits(NAMES[:2], images_of([30, 30]), SplitConfig())
    three = assign_splits(NAMES[:3], images_of([30, 30, 30]), SplitConfig())
    assert three[:60] == two


@pytest.mark.parametrize(
    ("size", "expected"),
    [(2, (2, 0, 0)), (3, (2, 1, 0)), (4, (2, 1, 1)), (7, (5, 1, 1)), (20, (14, 3, 3))],
)
def test_small_classes_keep_what_they_need_most(size, expected):
    split = counts(assign_splits(NAMES[:2], images_of([20, size]), SplitConfig()))
    assert tuple(split[1].values()) == expected


def test_without_a_test_fraction_there_is_no_test_split():
    assert counts(assign_splits(NAMES[:1], images_of([20]), SplitConfig(test=0)))[0]["test"] == 0


def test_copies_of_one_picture_stay_together():
    images = [image(0, f"0-{number // 3}") for number in range(60)]
    split = assign_splits(NAMES[:1], images, SplitConfig())
    where: dict[str, set[str]] = {}
    for record in split:
        where.setdefault(record.pixels_sha256, set()).add(record.split)
    assert all(len(splits) == 1 for splits in where.values())
    assert counts(split)[0] == {"train": 42, "validation": 9, "test": 9}


def test_pictures_that_look_alike_stay_together():
    pairs = [(image(0, f"a{n}"), n) for n in range(20)]
    twins = [image(0, f"b{n}", look=f"{int(twin.perceptual_hash, 16) ^ 3:064x}") for twin, n in pairs]
    split = assign_splits(NAMES[:1], [record for record, _ in pairs] + twins, SplitConfig())
    assert [record.split for record in split[:20]] == [record.split for record in split[20:]]
    assert {record.split for record in split} == set(SPLITS)


def test_a_class_in_which_everything_looks_alike_is_divided_all_the_same():
    images = [image(0, n, look="5" * 64) for n in range(40)]
    assert counts(assign_splits(NAMES[:1], images, SplitConfig()))[0] == {"train": 28, "validation": 6, "test": 6}


def test_a_picture_that_lies_in_two_classes_is_used_for_training_alone():
    images = [*images_of([20, 20]), image(0, "both"), image(1, "both")]
    assert [record.split for record in assign_splits(NAMES[:2], images, SplitConfig())[-2:]] == ["train", "train"]


def test_given_splits_are_kept():
    images = [image(label, f"{label}{split}{n}", split) for label in (0, 1) for split in SPLITS for n in range(5)]
    assert assign_splits(NAMES[:2], images, SplitConfig()) == images


def test_a_validation_split_that_did_not_come_is_taken_out_of_training():
    images = [image(0, n, "train") for n in range(80)] + [image(0, 100 + n, "test") for n in range(20)]
    split = assign_splits(NAMES[:1], images, SplitConfig(validation=0.25))
    assert counts(split)[0] == {"train": 60, "validation": 20, "test": 20}
    assert split[80:] == images[80:]


def test_a_test_split_that_did_not_come_is_taken_out_of_training_unless_its_fraction_is_zero():
    images = [image(0, n, "train") for n in range(80)] + [image(0, 100 + n, "validation") for n in range(20)]
    assert counts(assign_splits(NAMES[:1], images, SplitConfig(test=0.1)))[0] == {
        "train": 72,
        "validation": 20,
        "test": 8,
    }
    assert assign_splits(NAMES[:1], images, SplitConfig(test=0)) == images


def test_a_class_without_training_images_is_named():
    images = [image(0, 1, "train"), image(0, 2, "validation"), image(1, 3, "validation")]
    with pytest.raises(NotEnoughDataError, match="“class 1” has no image to train on"):
        assign_splits(NAMES[:2], images, SplitConfig())


@pytest.mark.parametrize("images", [images_of([2, 2]), [image(label, label) for label in (0, 1) for _ in range(5)]])
def test_nothing_left_to_validate_with_is_said(images):
    with pytest.raises(NotEnoughDataError, match="validate"):
        assign_splits(NAMES[:2], images, SplitConfig())


def test_the_same_pictures_in_two_classes_are_named_as_the_reason():
    images = [image(label, number) for label in (0, 1) for number in range(8)]
    with pytest.raises(NotEnoughDataError, match="the same images are in several classes"):
        assign_splits(NAMES[:2], images, SplitConfig())


@pytest.mark.parametrize(
    "values",
    [
        {"validation": 0},
        {"validation": 0.6},
        {"test": -0.1},
        {"test": 0.9},
        {"validation": 0.5, "test": 0.5},
        {"seed": -1},
    ],
)
def test_fractions_out_of_range_are_refused(values):
    with pytest.raises(ConfigError, match="must be"):
        SplitConfig(**values)


@settings(max_examples=100, deadline=None)
@given(
    contents=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=80),
    config=st.builds(SplitConfig, validation=st.floats(0.01, 0.4), test=st.floats(0, 0.4), seed=st.integers(0, 99)),
)
def test_whatever_comes_no_copy_is_on_two_sides_and_every_class_can_be_trained(contents, config):
    images = [image(label, f"{label}-{content}") for label, content in contents]
    labels = sorted({label for label, _ in contents})
    images = [dataclasses.replace(record, label=labels.index(record.label)) for record in images]
    try:
        split = assign_splits(NAMES[: len(labels)], images, config)
    except NotEnoughDataError:
        assert all(
            len({record.file for record in images if record.label == label}) < 3 for label in range(len(labels))
        )
        return
    assert [record.file for record in split] == [record.file for record in images]
    where: dict[str, set[str]] = {}
    for record in split:
        where.setdefault(record.pixels_sha256, set()).add(record.split)
    assert all(len(splits) == 1 for splits in where.values())
    for label, table in counts(split).items():
        assert table["train"] >= 1
        if len({record.file for record in images if record.label == label}) >= 3:
            assert table["validation"] >= 1


def frames(label: int, recording: str, size: int) -> list[ImageRecord]:
    """Neighbouring frames that look alike."""
    return [
        dataclasses.replace(
            image(label, f"{recording}-{number:04d}", look=f"{(1 << 250) - (1 << number):064x}"), group=recording
        )
        for number in range(size)
    ]


def test_the_frames_of_one_recording_stay_together():
    images = [frame for place in range(8) for frame in frames(0, f"r{place}", 10 + place)]
    split = assign_splits(NAMES[:1], images, SplitConfig())
    where: dict[str, set[str]] = {}
    for record in split:
        where.setdefault(record.group, set()).add(record.split)
    assert all(len(parts) == 1 for parts in where.values())
    assert {part for parts in where.values() for part in parts} == set(SPLITS)


def test_a_recording_is_held_out_as_a_whole_where_there_are_but_two():
    split = assign_splits(NAMES[:1], [*frames(0, "a", 30), *frames(0, "b", 20)], SplitConfig())
    assert {record.group: record.split for record in split} == {"a": "train", "b": "validation"}


def test_a_class_of_one_recording_is_cut_into_beginning_and_end():
    split = assign_splits(NAMES[:1], frames(0, "a", 40)[::-1], SplitConfig())
    parts = [record.split for record in sorted(split, key=lambda record: record.source_name)]
    assert parts[:28] == ["train"] * 28
    assert sorted((parts[28], parts[34])) == ["test", "validation"]
    assert parts[28:34] == [parts[28]] * 6
    assert parts[34:] == [parts[34]] * 6


def test_what_the_split_keeps_together_is_one_group_of_a_cross_validation():
    images = [
        *images_of([20]),
        image(0, "again", look=image(0, "0-3").perceptual_hash),  # 20: 0-3 saved once more
        image(1, "0-4"),  # 21: 0-4 in another class
        *frames(1, "walk", 4),  # 22 to 25
        *images_of([0, 20]),
    ]
    found = groups_of_images(images)
    assert found[20] == found[3]
    assert found[21] == found[4]
    assert len(set(found[22:26])) == 1
    assert len(set(found)) == len(images) - 1 - 1 - 3


def test_a_recording_that_is_most_of_its_class_is_cut_into_pieces_of_neighbouring_frames():
    walk = frames(0, "walk", 40)
    found = groups_of_images([*walk, *images_of([0, 5])])[:40]
    assert len(set(found)) == PIECES
    assert sum(one != other for one, other in itertools.pairwise(found)) == PIECES - 1


def test_pairs_that_an_audit_has_found_are_a_group_unless_they_join_half_a_class():
    images = images_of([20, 20])
    found = groups_of_images(images, [(images[0], images[1]), (images[1], images[2])])
    assert len(set(found[:3])) == 1
    assert len(set(found)) == len(images) - 2
    chained = [(images[place], images[place + 1]) for place in range(10)]
    assert len(set(groups_of_images(images, chained))) == len(images)


def test_pairs_that_an_audit_has_found_are_divided_together():
    images = images_of([40])
    pairs = [(place, place + 20) for place in range(20)]
    split = [record.split for record in assign_splits(NAMES[:1], images, SplitConfig(), pairs)]
    assert split[:20] == split[20:]
    assert set(split) == set(SPLITS)


SCENES = ("astronaut", "coffee", "chelsea", "coins", "clock", "camera")
FRAMES = 8


@pytest.fixture(scope="module")
def films() -> list[ImageRecord]:
    """Films of a camera that moves over photographs, cut into numbered files."""
    found = []
    for scene in SCENES:
        photo = Image.fromarray(getattr(photographs, scene)()).convert("RGB").resize((300, 300))
        for number in range(FRAMES):
            shown = photo.crop((5 * number, 3 * number, 220 + 5 * number, 220 + 3 * number))
            record = image(0, f"{scene} {number}", look=perceptual_hash(shown))
            found.append(dataclasses.replace(record, source_name=f"{scene}/frame_{9 + number}.png"))
    return found


def test_a_film_that_was_cut_into_numbered_files_is_a_series(films):
    found = series_of(films, range(len(films)))
    assert sorted(" ".join({films[place].source_name.partition("/")[0] for place in run}) for run in found) == sorted(
        SCENES
    )
    assert {len(run) for run in found} == {FRAMES}
    assert [films[place].source_name for place in found[0]][:2] == ["astronaut/frame_9.png", "astronaut/frame_10.png"]


def test_the_frames_of_a_series_stay_together(films):
    split = assign_splits(NAMES[:1], films, SplitConfig())
    where: dict[str, set[str]] = {}
    for record in split:
        where.setdefault(record.source_name.partition("/")[0], set()).add(record.split)
    assert all(len(parts) == 1 for parts in where.values())
    assert len(set(groups_of_images(films))) == len(SCENES)


def test_pictures_in_another_order_and_pictures_that_are_all_alike_are_no_series(films):
    mixed = [
        dataclasses.replace(record, source_name=f"{place * 7 % len(films)}.png") for place, record in enumerate(films)
    ]
    assert series_of(mixed, range(len(mixed))) == []
    rng = np.random.default_rng(0)
    ground = rng.random(256) < 0.4
    looks = [np.packbits(ground ^ (rng.random(256) < 0.08)).tobytes().hex() for _ in range(20)]
    assert series_of([image(0, f"still {number}", look=look) for number, look in enumerate(looks)], range(20)) == []
