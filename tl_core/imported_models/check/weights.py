"""The weights of an imported model: plain arrays in HDF5 and nothing else. Runs in the child process alone.

HDF5 can point to other files of the disk (external storage, external links, virtual datasets) and can pretend to be
much larger than it is. Here every entry is checked before Keras reads one.
"""

from __future__ import annotations

import io
import math
from typing import Any, Final

import numpy as np

from tl_core.errors import ModelFileError

_DEPTH: Final = 60
_ENTRIES: Final = 50_000
_SMALLEST_WEIGHT: Final = 2  # bytes
_KINDS: Final = frozenset("fiu")  # NumPy's letters for numbers; `vars` also hold seeds, which are whole


def check_weights(data: bytes) -> int:
    """Check ``model.weights.h5``.

    Args:
        data: the whole file.

    Returns:
        How many numbers it holds.

    Raises:
        ModelFileError: it is damaged, or holds anything but plain, uncompressed arrays.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            total = _check(h5py, file, len(data))
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, UnicodeError, OverflowError) as error:
        raise ModelFileError(
            "The weights of the model are damaged or cut off: export the model again and bring the new file."
        ) from error
    return total


def _check(h5py: Any, file: Any, size: int) -> int:
    pending: list[tuple[Any, int]] = [(file, 1)]
    entries = total = stored = 0
    while pending:
        group, depth = pending.pop()
        for name in group:
            entries += 1
            if entries > _ENTRIES or depth > _DEPTH:
                raise ModelFileError("The weights of the model have more parts than any network: it is not opened.")
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise _points_outside("a link")
            entry = group[name]
            if isinstance(entry, h5py.Group):
                pending.append((entry, depth + 1))
                continue
            total, stored = total + _count(h5py, entry), stored + int(entry.id.get_storage_size())
            if stored > size:
                raise ModelFileError("The weights of the model claim more than the file holds: it is not opened.")
    return total


def _count(h5py: Any, entry: Any) -> int:
    if not isinstance(entry, h5py.Dataset) or (entry.dtype.kind not in _KINDS and not _is_bfloat16(entry)):
        raise ModelFileError("The weights of the model hold something else than numbers: it is not opened.")
    if entry.external:
        raise _points_outside("a part that lies in another file")
    if entry.is_virtual:
        raise _points_outside("a part that is put together from other files")
    count = math.prod(int(length) for length in entry.shape)
    # Keras writes arrays as they are; one in compressed pieces may be a million times larger than what is stored.
    if entry.chunks is not None or (count and entry.id.get_storage_size() != count * entry.dtype.itemsize):
        raise ModelFileError(
            "The weights of the model are packed in a way that Keras never does, so it is not opened: bring the "
            ".keras file as it was saved."
        )
    if entry.dtype.kind == "f" and not np.isfinite(entry[()]).all():
        raise ModelFileError("Some weights of the model are no numbers (NaN), so it cannot answer: train it again.")
    return count


def _is_bfloat16(entry: Any) -> bool:
    return bool(entry.dtype.kind == "V" and entry.dtype.itemsize == _SMALLEST_WEIGHT)


def _points_outside(what: str) -> ModelFileError:
    return ModelFileError(
        f"The weights of the model hold {what}, with which a file could read others of this machine: it is not "
        "opened."
    )
