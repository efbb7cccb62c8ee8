from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from skimage import data

from tests.hostile.pictures import encoded
from tl_core.data.normalise import normalise_image
from tl_core.data.similarity import groups_of, near_pairs, perceptual_hash

PHOTOS = ("chelsea", "coffee", "astronaut", "rocket", "camera", "coins", "grass", "gravel")


def photo(name: str) -> Image.Image:
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def hash_of(content: bytes) -> str:
    return normalise_image(content).perceptual_hash


@pytest.mark.parametrize("name", PHOTOS)
def test_a_picture_saved_again_is_recognised(name):
    picture = photo(name)
    versions = [
        encoded(picture),
        encoded(picture, "JPEG", quality=75),
        encoded(picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS), "JPEG"),
        encoded(ImageEnhance.Brightness(picture).enhance(1.05)),
    ]
    pairs = set(near_pairs([hash_of(version) for version in versions]))
    assert {(0, 1), (0, 2), (0, 3)} <= pairs


def test_different_pictures_are_not_mistaken_for_each_other():
    hashes = [perceptual_hash(photo(name)) for name in PHOTOS]
    hashes += [perceptual_hash(photo(name).transpose(Image.Transpose.FLIP_LEFT_RIGHT)) for name in PHOTOS]
    assert near_pairs(hashes) == []


def test_blank_pictures_are_never_near():
    blank = [perceptual_hash(Image.new("RGB", (50, 50), (grey, grey, grey))) for grey in (0, 100, 255)]
    assert near_pairs(blank) == []


def test_pairs_agree_with_counting_bits_one_by_one(monkeypatch):
    rng = np.random.default_rng(0)
    base = [int.from_bytes(rng.bytes(32), "big") for _ in range(30)]
    numbers = [number ^ (2 ** int(rng.integers(0, 7)) - 1) for number in base for _ in range(4)]
    expected = {
        (i, j)
        for i in range(len(numbers))
        for j in range(i + 1, len(numbers))
        if (numbers[i] ^ numbers[j]).bit_count() <= 4
    }
    assert len(expected) > 50
    for block in (1, 500, 10**6):
        monkeypatch.setattr("tl_core.data.similarity._BLOCK", block)
        assert set(near_pairs([f"{number:064x}" for number in numbers])) == expected


def test_no_pictures_have_no_pairs():
    assert near_pairs([]) == []


def test_groups_hold_whatever_is_linked():
    groups = groups_of(7, [(0, 1), (3, 4), (1, 4), (5, 6)])
    assert sorted(map(sorted, groups)) == [[0, 1, 3, 4], [2], [5, 6]]
