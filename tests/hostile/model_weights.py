"""The weights of a model, changed so that they reach outside, pretend, or are no weights."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.hostile.models import cut, members, with_parts


def weights(change: Callable[[Any, Any], object]) -> bytes:
    """The good model with changed weights: ``change(file, place of the last layer)``."""
    import h5py

    buffer = io.BytesIO(members()["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        found: list[str] = []
        file.visit(lambda name: found.append(name) if name.endswith("vars") else None)
        place = next(file[name] for name in found if len(file[name]))
        change(file, place)
    return with_parts(weights=buffer.getvalue())


def external_storage(file: Any, place: Any) -> None:
    del place["0"]
    place.create_dataset("0", shape=(3, 2), dtype="float32", external=[("/etc/passwd", 0, 24)])


def external_link(file: Any, place: Any) -> None:
    import h5py

    del place["0"]
    place["0"] = h5py.ExternalLink("/etc/other.h5", "/x")


def soft_link(file: Any, place: Any) -> None:
    import h5py

    del place["0"]
    place["0"] = h5py.SoftLink(f"{place.name}/1")


def virtual(file: Any, place: Any) -> None:
    import h5py

    del place["0"]
    layout = h5py.VirtualLayout(shape=(3, 2), dtype="float32")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", shape=(3, 2))
    place.create_virtual_dataset("0", layout)


def shape_bomb(file: Any, place: Any) -> None:
    del place["0"]
    place.create_dataset("0", shape=(1 << 20, 1 << 12), dtype="float32", chunks=True, compression="gzip")


def never_written(file: Any, place: Any) -> None:
    del place["0"]
    place.create_dataset("0", shape=(1 << 20, 1 << 12), dtype="float32")


def words(file: Any, place: Any) -> None:
    import h5py

    del place["0"]
    place.create_dataset("0", data=["cos\nsystem"] * 6, dtype=h5py.string_dtype())


def not_numbers(file: Any, place: Any) -> None:
    place["0"][...] = np.nan


def another_shape(file: Any, place: Any) -> None:
    del place["0"]
    place.create_dataset("0", data=np.zeros((7, 2), np.float32))


def missing(file: Any, place: Any) -> None:
    del place["0"]


def half_the_weights() -> bytes:
    return with_parts(weights=cut(members()["model.weights.h5"], 0.4))
