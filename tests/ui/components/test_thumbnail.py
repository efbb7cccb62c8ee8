"""Small copies of a dataset's images."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tl_core.errors import DatasetNotFoundError
from ui.components.thumbnail import SMALL_TILE, TILE, dataset_thumbnail, small_tile


@pytest.fixture
def path(tmp_path):
    Image.new("RGB", (400, 200), (200, 30, 30)).save(tmp_path / "image.png")
    return tmp_path / "image.png"


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_thumbnail_is_a_square_and_a_tile_keeps_the_shape(path):
    assert opened(dataset_thumbnail(path)).size == (TILE, TILE)
    assert opened(small_tile(path)).size == (SMALL_TILE, SMALL_TILE // 2)


@pytest.mark.parametrize("copy", [dataset_thumbnail, small_tile])
def test_an_image_that_was_deleted_meanwhile_is_a_sentence(tmp_path, copy):
    with pytest.raises(DatasetNotFoundError, match="deleted meanwhile"):
        copy(tmp_path / "gone.png")
