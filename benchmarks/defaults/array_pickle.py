"""Reads one plain NumPy array from a pickle without running anything the pickle names.

A pickle may call any function of any module. The one class here that reads them knows three names, gives each a
stand-in of its own, and refuses every other name.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.errors import DataError

_TYPES: Final = frozenset({"u1", "i8"})


class _Type:
    """Stands for ``numpy.dtype``."""

    def __init__(self, code: str, *_: object) -> None:
        if code not in _TYPES:
            raise pickle.UnpicklingError(f"arrays of type {code!r} are not expected here")
        self.dtype = np.dtype(code).newbyteorder("<")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", "|"):
            raise pickle.UnpicklingError(f"the byte order {state[1]!r} is not expected here")


class _Array:
    """Stands for ``numpy.ndarray``; ``value`` is the array once the pickle is read."""

    value: npt.NDArray[Any]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran_order, data = state
        if fortran_order or not isinstance(kind, _Type):
            raise pickle.UnpicklingError("the array has an unexpected form")
        self.value = np.frombuffer(data, kind.dtype).reshape(shape)


def _reconstruct(kind: type[_Array], *_: object) -> _Array:
    return kind()


_ALLOWED: Final[Mapping[tuple[str, str], Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed here") from None


def read_array(path: Path, sha256: str) -> npt.NDArray[Any]:
    """Read the array in a gzip-compressed pickle.

    Args:
        path: the file.
        sha256: its expected SHA-256 as 64 hexadecimal digits; checked before anything is read from it.

    Returns:
        A read-only array of uint8 or int64.

    Raises:
        DataError: the file is missing, is another one than expected, or holds anything but one plain array.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"The file {path.name} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DataError(f"The file {path.name} is not the one of the tested release: install its package again.")
    return unpickle_array(gzip.decompress(data), path.name)


def unpickle_array(data: bytes, name: str) -> npt.NDArray[Any]:
    """Read the array in a pickle.

    Raises:
        DataError: it holds anything but one plain array.
    """
    try:
        loaded = _ArrayUnpickler(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, ValueError, TypeError, EOFError, IndexError) as error:
        raise DataError(f"The file {name} is no plain array: {error}.") from error
    if not isinstance(loaded, _Array):
        raise DataError(f"The file {name} holds something else than one array.")
    return loaded.value
