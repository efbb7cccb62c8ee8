"""Rows with names: what was made once is never made again, whatever set of images asks for it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tl_core.small_trainings import COLOURS, coloured, import_coloured
from tl_core.data.editing import add_images, move_images, remove_images
from tl_core.features.cache import ArraySpec, DiskCache, open_cache
from tl_core.features.images import images_are_kept, open_images
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.workspace import Workspace

SPEC = ArraySpec((3,), "float32")


@pytest.fixture
def cache(tmp_path):
    return DiskCache(tmp_path / "cache", 10_000_000)


class Maker:
    """Makes rows of the number that their name is, and remembers which."""

    def __init__(self, cache):
        self.cache, self.made = cache, []

    def __call__(self, *numbers):
        names = [str(number) for number in numbers]

        def fill(arrays, places):
            self.made += [names[place] for place in places]
            arrays[0][:] = [[float(names[place])] * 3 for place in places]

        (array,) = self.cache.get_or_make_rows("features", {"cut": 1}, names, [SPEC], fill)
        np.testing.assert_array_equal(array[np.arange(len(names))], [[number] * 3 for number in numbers])
        return array


def test_only_rows_that_are_not_kept_are_made(cache):
    rows = Maker(cache)
    assert isinstance(rows(1, 2, 3, 4), np.memmap), "one entry in its own order needs no gathering"
    gathered = rows(4, 9, 2, 9, 1)
    assert rows.made == ["1", "2", "3", "4", "9"]
    assert (gathered.shape, gathered.ndim, gathered.nbytes, len(gathered)) == ((5, 3), 2, 60, 5)
    np.testing.assert_array_equal(gathered[2], [2, 2, 2])
    np.testing.assert_array_equal(gathered[np.array([3, 0])], [[9] * 3, [4] * 3])
    np.testing.assert_array_equal(np.asarray(gathered)[:, 0], [4, 9, 2, 9, 1])
    assert cache.holds_rows("features", {"cut": 1}, ["9", "3"])
    assert cache.holds(cache.name_of("features", {"cut": 1}))
    assert not cache.holds_rows("features", {"cut": 1}, ["9", "5"])
    assert cache.open_rows("features", {"cut": 2}, ["9"]) is None


def test_damaged_rows_are_made_again(cache, tmp_path):
    rows = Maker(cache)
    rows(1, 2)
    rows(1, 2, 3)
    largest = max((tmp_path / "cache").glob("*/0.npy"), key=lambda path: path.stat().st_size)
    largest.write_bytes(b"damaged")
    rows(3, 2, 1)
    assert rows.made == ["1", "2", "3", "2", "1"]


def test_rows_that_do_not_fit_are_not_kept(tmp_path):
    small = DiskCache(tmp_path / "cache", 10)
    assert small.get_or_make_rows("features", {}, ["1"], [SPEC], lambda *_: None) is None


def test_a_change_of_two_images_costs_two_images(tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    dataset, cache = import_coloured(workspace, COLOURS, 6), open_cache(workspace)
    before = open_images(cache, dataset, 32, UNATTENDED).read(np.arange(len(dataset.images)))
    first = [record for record in dataset.images if record.split == "train"][:2]
    moved = move_images(workspace, dataset.id, first, to_split="validation")
    smaller = remove_images(workspace, dataset.id, [r for r in moved.images if r.split == "validation"][:2])
    assert images_are_kept(cache, smaller, 32)
    new = [(f"{number}.png", coloured(COLOURS["red"], 900 + number)) for number in (1, 2)]
    larger, _ = add_images(workspace, dataset.id, {"red": new})
    assert not images_are_kept(cache, larger, 32)
    told = []
    images = open_images(cache, larger, 32, TaskContext(lambda at: told.append((at.done, at.total))))
    assert told == [(len(larger.images), len(larger.images))]
    sizes = sorted(np.load(path, mmap_mode="r").shape[0] for path in workspace.cache.glob("images-*/0.npy"))
    assert sizes == [2, 18]
    where = [dataset.images.index(r) for r in dataset.images if r.pixels_sha256 == larger.images[5].pixels_sha256]
    np.testing.assert_array_equal(images.read(np.array([5]))[0], before[where[0]])
