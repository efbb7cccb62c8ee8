from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from skimage import data

from tl_core.config import AUGMENTATION_LEVELS, AugmentationConfig
from tl_core.data.normalise import resize_image
from tl_core.models.augmentation import augment_preview, build_augmentation

CAT = resize_image(data.chelsea(), 64)
CONTROLS: dict[str, Any] = {
    "horizontal_flip": True,
    "vertical_flip": True,
    "rotation_degrees": 30.0,
    "zoom": 0.3,
    "shift": 0.3,
    "shear": 0.3,
    "brightness": 0.3,
    "contrast": 0.5,
}


def views(count: int = 9, image: np.ndarray = CAT, **settings: Any) -> np.ndarray:
    return np.stack(augment_preview(image, AugmentationConfig(**settings), count)).astype(float)


def test_every_control_of_the_configuration_is_tried_here():
    assert {*CONTROLS, "fill_mode"} == {field.name for field in dataclasses.fields(AugmentationConfig)}


@pytest.mark.parametrize(("name", "value"), CONTROLS.items())
def test_each_control_changes_the_images_each_in_its_own_way(name: str, value: Any):
    found = views(**{name: value})
    assert found.shape == (9, 64, 64, 3)
    assert len({view.tobytes() for view in found}) > 1
    assert any(not np.array_equal(view, CAT) for view in found)


def test_without_any_control_the_batch_comes_back():
    assert np.array_equal(views(), np.stack([CAT] * 9))


@pytest.mark.parametrize("level", AUGMENTATION_LEVELS)
@pytest.mark.parametrize("fill_mode", ["reflect", "nearest", "constant", "wrap"])
def test_values_stay_in_the_range_of_pixels(level: str, fill_mode: str):
    config = dataclasses.replace(AUGMENTATION_LEVELS[level], fill_mode=fill_mode)
    batch = np.random.default_rng(0).choice([0.0, 255.0], size=(16, 24, 24, 3)).astype(np.float32)
    changed = np.asarray(build_augmentation(config, 1)(batch))
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_the_same_seed_gives_the_same_views_and_another_seed_others():
    strong = AUGMENTATION_LEVELS["strong"]
    first, again, other = (np.stack(augment_preview(CAT, strong, 4, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_call_gives_new_views():
    augment = build_augmentation(AUGMENTATION_LEVELS["light"], 1)
    batch = np.stack([CAT] * 2).astype(np.float32)
    assert not np.allclose(augment(batch), augment(batch))


def test_flips_are_mirror_images():
    for axis, found in ((1, views(40, horizontal_flip=True)), (0, views(40, vertical_flip=True))):
        mirrored = np.flip(CAT, axis)
        flipped = [np.array_equal(view, mirrored) for view in found]
        assert all(turned or np.array_equal(view, CAT) for turned, view in zip(flipped, found, strict=True))
        assert 5 < sum(flipped) < 35


def test_rotation_is_in_degrees_either_way():
    """A bright spot at the middle of the right edge wanders by the sine of the angle."""
    image = np.zeros((65, 65, 3), np.uint8)
    image[30:35, 58:63] = 255
    rows = np.arange(65)[:, None, None]
    found = views(60, image=image, rotation_degrees=20, fill_mode="constant")
    heights = np.array([(view * rows).sum() / view.sum() for view in found]) - 32
    reach = 28 * np.sin(np.radians(20))
    assert heights.min() < -reach / 2
    assert heights.max() > reach / 2
    assert np.abs(heights).max() <= reach + 0.5


def test_brightness_goes_both_ways_within_its_share_of_the_range():
    grey = np.full((8, 8, 3), 128, np.uint8)
    levels = views(60, image=grey, brightness=0.1).mean(axis=(1, 2, 3)) - 128
    assert -26 <= levels.min() < -10
    assert 10 < levels.max() <= 26


def test_contrast_goes_both_ways_within_its_share():
    image = np.zeros((8, 8, 3), np.uint8) + np.linspace(100, 150, 8, dtype=np.uint8)[:, None, None]
    ratios = views(60, image=image, contrast=0.25).std(axis=(1, 2, 3)) / image.std()
    assert 0.73 <= ratios.min() < 0.9
    assert 1.1 < ratios.max() <= 1.27


def test_shear_slants_along_the_rows_either_way():
    """A vertical bar stays a bar: its head goes to one side as far as its foot goes to the other."""
    image = np.zeros((41, 41, 3), np.uint8)
    image[:, 20] = 255
    columns = np.arange(41)[:, None]
    found = views(40, image=image, shear=0.2, fill_mode="constant")
    heads, feet = (
        np.array([(view[row] * columns).sum() / view[row].sum() for view in found]) - 20 for row in (0, 40)
    )
    assert feet.min() < -2
    assert feet.max() > 2
    assert np.abs(feet).max() <= 0.2 * 20 + 0.1
    np.testing.assert_allclose(heads, -feet, atol=0.1)


def test_zoom_keeps_the_proportions():
    image = np.zeros((64, 64, 3), np.uint8)
    image[16:48, 16:48] = 255
    for view in views(30, image=image, zoom=0.4, fill_mode="constant"):
        inside = view[..., 0] > 128
        assert inside.any(axis=1).sum() == pytest.approx(inside.any(axis=0).sum(), abs=1)


def test_shifts_go_by_a_share_of_width_and_of_height():
    image = np.zeros((40, 80, 3), np.uint8)
    image[18:22, 38:42] = 255
    found = views(60, image=image, shift=0.2, fill_mode="constant")[..., 0]
    down = np.array([(view * np.arange(40)[:, None]).sum() / view.sum() for view in found]) - 19.5
    right = np.array([(view * np.arange(80)).sum() / view.sum() for view in found]) - 39.5
    assert 5 < np.abs(down).max() <= 8.1
    assert 11 < np.abs(right).max() <= 16.1
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.4


def test_what_lies_outside_is_filled_as_chosen():
    white = np.full((32, 32, 3), 255, np.uint8)
    assert views(20, image=white, shift=0.5, fill_mode="constant").min() == 0
    for mode in ("reflect", "nearest", "wrap"):
        assert views(20, image=white, shift=0.5, fill_mode=mode).min() == 255


def test_works_in_a_data_pipeline_and_repeats_there():
    batch = np.stack([CAT] * 2).astype(np.float32)

    def run() -> list[np.ndarray]:
        augment = build_augmentation(AUGMENTATION_LEVELS["strong"], 5)
        return [images.numpy() for images in tf.data.Dataset.from_tensors(batch).repeat(3).map(augment)]

    first, again = run(), run()
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
