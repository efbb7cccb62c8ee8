"""How good the model of a run is: its metrics, and what it answered about a split, saved beside it."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.errors import WorkspaceError
from tl_core.machine.pool import Pool
from tl_core.runs.record import RunFolder, RunRecord
from tl_core.storage.files import read_json, replacing, sha256_of

logger = logging.getLogger(__name__)

Probabilities = npt.NDArray[np.float32]
"""``(n, classes)``, rows of sum 1."""
Labels = npt.NDArray[np.integer[Any]]
"""``(n,)``, the true classes."""

_digests: Final[Pool[str]] = Pool(256)  # of model files; a model of 500 MB takes a second to read


def read_metrics(run: RunRecord) -> dict[str, Any]:
    """The content of ``metrics.json``; empty where the run has not ended well, or the file is damaged."""
    try:
        values: dict[str, Any] = read_json(run.folder.metrics_file)
    except FileNotFoundError:
        return {}
    except WorkspaceError as error:
        logger.warning("The metrics of the run %s are left out: %s", run.id, error)
        return {}
    return values


def save_probabilities(
    folder: RunFolder,
    split: str,
    probabilities: Probabilities,
    labels: Labels,
    *,
    model_sha256: str,
    dataset_fingerprint: str,
) -> None:
    """Write the probabilities of a split.

    Args:
        split: train, validation, test or all.
        probabilities: of its images, in the order of the dataset.
        labels: ``(n,)``, their classes, so that what was measured outlives the images.
        model_sha256: of the model that was asked; see `model_digest`.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
    with replacing(evaluation_file(folder, split)) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            probabilities=probabilities,
            labels=labels,
            model=np.array(model_sha256),
            dataset=np.array(dataset_fingerprint),
        )


def read_probabilities(
    folder: RunFolder, split: str, shape: tuple[int, int], *, model_sha256: str, dataset_fingerprint: str
) -> Probabilities | None:
    """The probabilities of a split; None where this model was not yet asked about it, or the file is damaged.

    Args:
        split: train, validation, test or all.
        shape: images and classes that there must be.
        model_sha256: of the model; see `model_digest`.
    """
    try:
        with np.load(evaluation_file(folder, split), allow_pickle=False) as file:
            probabilities: Probabilities = file["probabilities"]
            made_from = (str(file["model"]), str(file["dataset"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        logger.warning("A damaged evaluation is made again: %s", error)
        return None
    return probabilities if (probabilities.shape, made_from) == (shape, (model_sha256, dataset_fingerprint)) else None


def read_measured(
    folder: RunFolder, split: str, *, model_sha256: str, dataset_fingerprint: str
) -> tuple[Probabilities, Labels] | None:
    """What was measured on a split, and its images' classes; None where nothing was, or an older version did."""
    try:
        with np.load(evaluation_file(folder, split), allow_pickle=False) as file:
            if (str(file["model"]), str(file["dataset"])) != (model_sha256, dataset_fingerprint):
                return None
            return file["probabilities"], file["labels"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        logger.info("What was measured of a run cannot be shown without its images: %s", error)
        return None


def evaluation_file(folder: RunFolder, split: str) -> Path:
    """Where the probabilities of a split are."""
    return folder.path / f"evaluation-{split}.npz"


def model_digest(run: RunRecord) -> str:
    """Sha256 of the run's model file as it is now, empty where there is none; an unchanged file is read once."""
    path = run.folder.model_file
    try:
        stamp = path.stat()
        return _digests.get(path, lambda: sha256_of(path), (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino))
    except FileNotFoundError:
        return ""
