"""The cache returns what was put in, or nothing; never an old, partial or broken entry."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tl_core.errors import ConfigError
from tl_core.features.cache import ArraySpec, DiskCache, open_cache
from tl_core.storage.workspace import Workspace

SPEC = ArraySpec((10, 4), "float32")
KEY = {"images": "abc", "size": 32}


@pytest.fixture
def cache(tmp_path):
    return DiskCache(tmp_path / "cache", 10_000_000)


def put(cache, key=KEY, value=1.0, specs=(SPEC,)):
    with cache.making("features", key, specs) as arrays:
        for array in arrays:
            array[:] = value


def test_what_was_put_in_comes_out_again_memory_mapped(cache):
    put(cache, value=7.0, specs=(SPEC, ArraySpec((10, 2, 2), "uint8")))
    first, second = cache.open("features", KEY)
    assert isinstance(first, np.memmap)
    assert (first == 7).all()
    assert second.shape == (10, 2, 2)
    assert second.dtype == np.uint8


@pytest.mark.parametrize("change", [{"images": "abd"}, {"size": 33}, {"views": 2}])
def test_another_key_never_meets_the_entry(cache, change):
    put(cache)
    assert cache.open("features", {**KEY, **change}) is None
    assert cache.open("images", KEY) is None


def test_a_failed_writer_leaves_nothing(cache, tmp_path):
    def fail():
        with cache.making("features", KEY, [SPEC]) as (array,):
            array[:5] = 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert cache.open("features", KEY) is None
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_a_killed_writer_left_is_never_read_and_is_removed(cache, tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from tl_core.features.cache import *\n"
        "cache = DiskCache(Path(sys.argv[1]), 10**7)\n"
        f"with cache.making('features', {KEY!r}, [ArraySpec((10, 4), 'float32')]) as a:\n"
        "    a[0][:5] = 1; a[0].flush(); os.kill(os.getpid(), 9)"
    )
    folder = tmp_path / "cache"
    killed = subprocess.run([sys.executable, "-c", program, str(folder)], check=False)
    assert killed.returncode == -9
    assert len(list(folder.glob(".making-*"))) == 1
    assert cache.open("features", KEY) is None
    put(cache, value=2.0)
    assert (cache.open("features", KEY)[0] == 2).all()
    assert list(folder.glob(".making-*")) == []


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("damage", ["cut", "flip", "no record"])
def test_a_damaged_entry_is_not_given_and_can_be_made_again(tmp_path, damage, large):
    cache = DiskCache(tmp_path / "cache", 10**9)
    specs = [ArraySpec((5_000_000,) if large else (100,), "float32")]
    put(cache, specs=specs)
    file = next((tmp_path / "cache").glob("features-*")) / "0.npy"
    if damage == "cut":
        os.truncate(file, file.stat().st_size // 2)
    elif damage == "flip":
        with file.open("r+b") as stream:
            stream.seek(-2, os.SEEK_END)
            stream.write(b"\xff")
    else:
        file.with_name("entry.json").unlink()
    assert cache.open("features", KEY) is None
    put(cache, value=3.0, specs=specs)
    assert (cache.open("features", KEY)[0] == 3).all()


def test_the_least_recently_used_entry_goes_first(tmp_path):
    size = ArraySpec((1000,), "float32")
    cache = DiskCache(tmp_path / "cache", 3 * 4500)
    for number in range(3):
        put(cache, {"n": number}, specs=[size])
        entry = next(
            path for path in (tmp_path / "cache").iterdir() if f'"n": {number}' in (path / "entry.json").read_text()
        )
        os.utime(entry / "entry.json", (1000 + number, 1000 + number))
    assert cache.open("features", {"n": 0}) is not None  # used just now, so no longer the oldest
    put(cache, {"n": 3}, specs=[size])
    kept = [number for number in range(4) if cache.open("features", {"n": number}) is not None]
    assert kept == [0, 2, 3]
    assert cache.size_bytes() <= 3 * 4500


def test_an_entry_over_the_bound_does_not_fit(cache):
    assert cache.fits([SPEC])
    assert not cache.fits([SPEC, ArraySpec((10_000_000,), "uint8")])


def test_size_is_known_and_the_cache_can_be_cleared(cache):
    assert cache.size_bytes() == 0
    put(cache)
    assert cache.size_bytes() > SPEC.bytes
    cache.clear()
    assert cache.size_bytes() == 0
    assert cache.open("features", KEY) is None


def test_bound_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_CACHE_GB", "0.000001")
    assert not open_cache(Workspace(tmp_path)).fits([ArraySpec((2000,), "uint8")])
    monkeypatch.setenv("TL_CACHE_GB", "plenty")
    with pytest.raises(ConfigError, match="plenty"):
        open_cache(Workspace(tmp_path))
