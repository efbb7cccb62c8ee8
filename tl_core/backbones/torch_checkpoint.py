"""Reads tensors from an old-format PyTorch checkpoint with NumPy, without PyTorch and without running its code.

Such a file is four pickles (a magic number, a version, facts about the machine, the tensors' descriptions),
a pickled list of storage keys, and the raw numbers of each storage. A pickle may name any function of any
module, so this reader allows four names and refuses every other one, and reads nothing before the file's
SHA-256 is the expected one.

Source of the format: ``torch.serialization._legacy_load``,
https://github.com/pytorch/pytorch/blob/main/torch/serialization.py.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.errors import WeightsUnavailableError

_MAGIC_NUMBER: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements

    def read(self, storages: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        flat = storages[self.storage.key]
        last = self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.shape, *self.strides), default=0) < 0 or last >= flat.size:
            raise pickle.UnpicklingError("a tensor reaches outside its storage")
        steps = tuple(step * flat.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, steps).copy()


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


# Every name that a checkpoint may contain, and what replaces it here.
_ALLOWED: Final[Mapping[tuple[str, str], Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a checkpoint") from None

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, _, view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or view is not None:
            raise pickle.UnpicklingError("the checkpoint refers to something that is no storage")
        return _Storage(str(key), dtype)


def read_checkpoint(path: Path, sha256: str) -> dict[str, npt.NDArray[Any]]:
    """Read all tensors of a checkpoint, by name, in the order in which they were saved.

    Args:
        path: an old-format checkpoint holding a state dictionary, as ``torch.save`` wrote it before 1.6.
        sha256: the file's expected SHA-256 as 64 hexadecimal digits; checked before anything is read from it.

    Returns:
        Arrays of float32 and int64.

    Raises:
        WeightsUnavailableError: the file is missing, is not the expected one, or cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsUnavailableError(f"The weights file {path.name} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise WeightsUnavailableError(
            f"The weights file {path.name} is damaged or is another file (its SHA-256 is not the expected one): "
            "install its package again."
        )
    try:
        return _read(io.BytesIO(data))
    except (pickle.UnpicklingError, ValueError, KeyError, EOFError, TypeError) as error:
        raise WeightsUnavailableError(f"The weights file {path.name} is no readable checkpoint: {error}.") from error


def _read(file: io.BytesIO) -> dict[str, npt.NDArray[Any]]:
    load: Callable[[], Any] = lambda: _RestrictedUnpickler(file).load()  # noqa: E731
    if load() != _MAGIC_NUMBER or load() != _PROTOCOL:
        raise ValueError("it does not begin like one")
    if not load()["little_endian"]:
        raise ValueError("it was written on a big-endian machine")
    state: dict[str, _Tensor] = load()
    dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in state.values()}
    storages = {key: _read_storage(file, dtypes[key]) for key in load()}
    return {name: tensor.read(storages) for name, tensor in state.items()}


def _read_storage(file: io.BytesIO, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    count = int.from_bytes(file.read(8), "little", signed=True)
    data = file.read(count * dtype.itemsize) if count >= 0 else b""
    if count < 0 or len(data) != count * dtype.itemsize:
        raise ValueError("it ends too early")
    return np.frombuffer(data, dtype)
