"""Checkpoints written by hand, good ones and hostile ones."""

from __future__ import annotations

import hashlib
import os
import pickle
import struct
import sys
import types
from collections import OrderedDict
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from tl_core.backbones.torch_checkpoint import read_checkpoint
from tl_core.errors import WeightsUnavailableError

MAGIC = 0x1950A86A20F9469CFC6C


class Storage:
    """Written as a persistent id, as PyTorch does it."""

    def __init__(self, kind: type, key: str, count: int):
        self.pid = ("storage", kind, key, "cpu", count, None)


class Tensor:
    def __init__(self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]):
        self.parts: tuple[object, ...] = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


class CheckpointPickler(pickle.Pickler):
    def persistent_id(self, obj: object):
        return obj.pid if isinstance(obj, Storage) else None


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Just enough of PyTorch's names for the pickles to carry them."""
    torch, inner = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(torch, kind, type(kind, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*_: object):
        raise AssertionError("nothing may be called by its real name")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    inner._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", inner)
    return torch


def written(path: Path, state: object, storages: dict[str, np.ndarray]) -> tuple[Path, str]:
    file = BytesIO()
    for value in (MAGIC, 1001, {"little_endian": True}):
        pickle.dump(value, file, protocol=2)
    CheckpointPickler(file, protocol=2).dump(state)
    pickle.dump(list(storages), file, protocol=2)
    for numbers in storages.values():
        file.write(struct.pack("<q", numbers.size) + numbers.tobytes())
    path.write_bytes(file.getvalue())
    return path, hashlib.sha256(file.getvalue()).hexdigest()


def test_reads_tensors_also_those_that_lie_across_their_storage(tmp_path: Path, torch: types.ModuleType):
    numbers = np.arange(12, dtype="<f4")
    state = OrderedDict(
        straight=Tensor(Storage(torch.FloatStorage, "1", 12), 0, (3, 4), (4, 1)),
        across=Tensor(Storage(torch.FloatStorage, "1", 12), 1, (4, 2), (1, 4)),
        count=Tensor(Storage(torch.LongStorage, "2", 1), 0, (), ()),
    )
    path, digest = written(tmp_path / "a.pth", state, {"1": numbers, "2": np.array([7], "<i8")})
    tensors = read_checkpoint(path, digest)
    assert list(tensors) == ["straight", "across", "count"]
    np.testing.assert_array_equal(tensors["straight"], numbers.reshape(3, 4))
    np.testing.assert_array_equal(tensors["across"], numbers[1:9].reshape(2, 4).T)
    assert tensors["count"] == 7


def test_another_file_than_the_expected_one_is_not_even_opened(tmp_path: Path):
    path = tmp_path / "a.pth"
    path.write_bytes(pickle.dumps(MAGIC))
    with pytest.raises(WeightsUnavailableError, match=r"a\.pth is damaged or is another file"):
        read_checkpoint(path, "0" * 64)


def test_a_checkpoint_cannot_run_code(tmp_path: Path):
    target = tmp_path / "made"

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(target),)

    path, digest = written(tmp_path / "a.pth", Hostile(), {})
    with pytest.raises(WeightsUnavailableError, match=r"mkdir is not allowed in a checkpoint"):
        read_checkpoint(path, digest)
    assert not target.exists()


def test_a_tensor_cannot_reach_outside_its_storage(tmp_path: Path, torch: types.ModuleType):
    for offset, shape, strides in [(9, (4,), (1,)), (0, (4, 4), (4, 1)), (-1, (1,), (1,)), (5, (2,), (-1,))]:
        state = {"x": Tensor(Storage(torch.FloatStorage, "1", 12), offset, shape, strides)}
        path, digest = written(tmp_path / "a.pth", state, {"1": np.zeros(12, "<f4")})
        with pytest.raises(WeightsUnavailableError, match="outside its storage"):
            read_checkpoint(path, digest)


@pytest.mark.parametrize("cut", [5, 60, 200, -4])
def test_half_a_file_is_refused(cut: int, tmp_path: Path, torch: types.ModuleType):
    state = {"x": Tensor(Storage(torch.FloatStorage, "1", 12), 0, (12,), (1,))}
    path, _ = written(tmp_path / "a.pth", state, {"1": np.zeros(12, "<f4")})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(WeightsUnavailableError, match="is no readable checkpoint"):
        read_checkpoint(path, hashlib.sha256(path.read_bytes()).hexdigest())


def test_other_numbers_than_the_known_ones_are_refused(tmp_path: Path, torch: types.ModuleType):
    state = {"x": Tensor(Storage(torch.HalfStorage, "1", 12), 0, (12,), (1,))}
    path, digest = written(tmp_path / "a.pth", state, {"1": np.zeros(12, "<f2")})
    with pytest.raises(WeightsUnavailableError, match=r"torch\.HalfStorage is not allowed"):
        read_checkpoint(path, digest)


def test_a_missing_file_is_a_sentence(tmp_path: Path):
    with pytest.raises(WeightsUnavailableError, match=r"b\.pth cannot be read"):
        read_checkpoint(tmp_path / "b.pth", "0" * 64)
