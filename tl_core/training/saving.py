"""Writing the saved model, so that the file is whole and finite or the last good one stays."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from tl_core.errors import TrainingError, WorkspaceError
from tl_core.features.cache import open_cache
from tl_core.models.classifier import Classifier
from tl_core.runs import RunFolder
from tl_core.storage.files import replacing, sha256_of

Array = npt.NDArray[Any]

_ROOM: Final = 3  # times the model's size must be free on the disk


def require_room(path: Path, classifier: Classifier, more: int = 0) -> None:
    """Check that the model and ``more`` bytes will fit on the disk of a run, before hours are spent on it.

    The cache makes room for them.

    Raises:
        WorkspaceError: it would not.
    """
    needed = _ROOM * sum(variable.value.shape.num_elements() or 1 for variable in classifier.model.weights) * 4 + more
    open_cache(RunFolder(path).workspace).make_disk_room(needed)
    free = shutil.disk_usage(path).free
    if free < needed:
        raise WorkspaceError(
            f"The disk of the workspace has {free / 1e6:.0f} MB free and this training needs {needed / 1e6:.0f} MB: "
            "free some space or choose a smaller backbone."
        )


def save_model(path: Path, model: keras.Model, announce: Callable[[str], None] | None = None) -> str:
    """Write a model to ``path`` in one step, and return the sha256 of the file.

    The file is checked before it takes the place of an older one: all weights finite, every part readable.

    ``announce`` is told the sha256 when the file is complete, before it takes its place.

    Raises:
        WorkspaceError: the disk is full or cannot be written.
        TrainingError: the weights are not finite, or the file cannot be read back.
    """
    if not all(np.isfinite(weight.value.numpy()).all() for weight in model.weights):
        raise TrainingError(
            "The model's weights are no longer numbers, so it was not saved; try a lower learning rate."
        )
    with replacing(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary) as file:
            damaged = file.testzip()
        if damaged is not None:
            raise TrainingError(
                "The model file could not be read back after it was written, so it was not kept; try again."
            )
        sha256 = sha256_of(temporary)
        if announce is not None:
            announce(sha256)
    return sha256


def snapshot(variables: Sequence[keras.Variable]) -> list[Array]:
    """Copies of the values."""
    return [variable.value.numpy().copy() for variable in variables]


def restore(variables: Sequence[keras.Variable], values: Sequence[Array]) -> None:
    """Give the variables the values of `snapshot`."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
