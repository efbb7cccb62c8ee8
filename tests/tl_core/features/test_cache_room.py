"""Want of room is never a reason to fail: the cache gives way to what is made now, or nothing is cached."""

from __future__ import annotations

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from tests.tl_core.small_trainings import QUICK
from tl_core.errors import WorkspaceError
from tl_core.features.cache import ArraySpec, DiskCache
from tl_core.features.compute import FeatureJob, compute_features
from tl_core.features.images import StoredImages
from tl_core.models.classifier import build_classifier
from tl_core.storage.workspace import Workspace
from tl_core.training.saving import require_room

MB = 10**6
Usage = namedtuple("Usage", "total used free")


class SmallDisk:
    """A disk that has ``capacity`` bytes for the files below a folder; what is removed is free at once."""

    def __init__(self, folder: Path, capacity: int) -> None:
        self._folder = folder
        self.capacity = capacity

    @property
    def used(self) -> int:
        return sum(file.stat().st_size for file in self._folder.rglob("*") if file.is_file())

    def usage(self, _path: object) -> Usage:
        return Usage(self.capacity, self.used, max(0, self.capacity - self.used))

    def reserve(self, _descriptor: int, _offset: int, _length: int) -> None:
        if self.used > self.capacity:  # the file has its length already
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def disk(tmp_path, monkeypatch):
    small = SmallDisk(tmp_path, 16 * MB)
    monkeypatch.setattr(shutil, "disk_usage", small.usage)
    monkeypatch.setattr(os, "posix_fallocate", small.reserve, raising=False)
    return small


@pytest.fixture
def cache(tmp_path):
    return DiskCache(tmp_path / "cache", 100 * MB)


def put(cache, name, size):
    with cache.making("features", {"n": name}, [ArraySpec((size,), "uint8")]) as (array,):
        array[:1000] = 1


def test_what_fits_can_be_made_where_older_entries_take_the_disk(cache, disk):
    for number in range(3):
        put(cache, number, 3 * MB)
    wanted = [ArraySpec((7_600_000,), "uint8")]
    assert cache.fits(wanted)
    put(cache, "new", 7_600_000)
    assert cache.open("features", {"n": "new"}) is not None


def test_only_what_has_to_go_for_want_of_disk_goes_the_oldest_first(cache, disk, tmp_path):
    for number in range(4):
        put(cache, number, 3 * MB)
        for entry in (tmp_path / "cache").glob("features-*"):
            if f'"n": {number}' in (entry / "entry.json").read_text():
                os.utime(entry / "entry.json", (1000 + number, 1000 + number))
    put(cache, "new", 3 * MB)
    kept = [name for name in (0, 1, 2, 3, "new") if cache.open("features", {"n": name}) is not None]
    assert kept == [1, 2, 3, "new"]


def trunk_run():
    images = StoredImages(np.ones((6, 4, 4, 3), np.uint8))
    return FeatureJob(images, np.arange(6), (ArraySpec((500_000,), "float32"),), {"run": 1}, plain=6)


def network(images):
    return [np.full((len(images), 500_000), 3, np.float32)]


def test_a_training_goes_on_in_memory_where_the_disk_filled_up_after_the_check(cache, disk, monkeypatch):
    reserve = disk.reserve

    def filled_up(*arguments):
        disk.capacity = 0
        reserve(*arguments)

    disk.capacity = 100 * MB
    monkeypatch.setattr(os, "posix_fallocate", filled_up)
    (array,) = compute_features(cache, trunk_run(), lambda: network, 2, lambda *_: None, lambda: False)
    assert (array == 3).all()


def test_the_cache_makes_room_for_the_model_of_a_training(disk, tmp_path):
    classifier = build_classifier(QUICK, classes=3)
    workspace = Workspace(tmp_path).ensure()
    cache = DiskCache(workspace.cache, 1000 * MB)
    disk.capacity = 250 * MB
    put(cache, 1, 100 * MB)
    require_room(workspace.runs / "some-run", classifier)
    assert cache.open("features", {"n": 1}) is None
    disk.capacity = 150 * MB
    with pytest.raises(WorkspaceError, match="choose a smaller backbone"):
        require_room(workspace.runs / "some-run", classifier)


def test_an_entry_that_another_process_removes_in_the_middle_is_no_error(cache, monkeypatch, tmp_path):
    put(cache, 1, 1000)
    touch = os.utime

    def removed_first(path, *arguments, **options):
        shutil.rmtree(Path(path).parent)
        touch(path, *arguments, **options)

    monkeypatch.setattr(os, "utime", removed_first)
    arrays = cache.open("features", {"n": 1})
    assert arrays is not None
    assert (arrays[0] == 1).all()
