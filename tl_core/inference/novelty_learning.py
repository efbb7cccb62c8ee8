"""Learning what a run's model was taught, where its training has not kept that.

A training whose backbone stays frozen has seen all its images when it ends, and writes what it saw beside the model.
After any other one (fine-tuning, random views in every epoch, a version without this) some of the images are looked
at before the first answer. Either way it is done once for a model, so that all who ask it get the same answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tl_core.data.dataset import ImageRecord
from tl_core.errors import DatasetNotFoundError
from tl_core.inference.novelty import (
    Features,
    Novelty,
    can_learn,
    evenly,
    fit_novelty,
    knows,
    load_novelty,
    save_novelty,
)
from tl_core.inference.predictor import Predictor, open_predictor
from tl_core.machine.pool import KeyedLocks, Pool
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.runs import RunRecord, dataset_of, load_run
from tl_core.storage.ownership import is_mine

MOST_LOOKED_AT: Final = 400  # training images, and half as many validation images: a pass has somebody waiting
LOOKING: Final = "Looking once at the images it was taught"
_BATCH: Final = 32
_locks: Final = KeyedLocks()
_held: Final[Pool[Novelty]] = Pool(4)  # of runs of other people, in whose folders nothing is written


def novelty_of(run_path: Path, epoch: int | None = None, task: TaskContext = UNATTENDED) -> Novelty | None:
    """What the best model of a run was taught, learned now where that was not done yet.

    Args:
        epoch: a saved epoch other than the best one sees otherwise, and gets None.
        task: gets images done and images in all; checked for a stop between batches.

    Returns:
        None also where the run has not ended, its dataset is gone, or has no validation images.

    Raises:
        ModelUnavailableError: the run has no usable model.
        StoppedError: a stop was requested.
    """
    run = load_run(run_path)
    if epoch not in (None, run.best and run.best.epoch) or run.active or not run.model_sha256:
        return None
    with _locks.hold(run_path):
        known = load_novelty(run.folder, run.model_sha256) or _held.find((run_path, run.model_sha256))
        if known is None and (known := _learn(run, task)) is not None:
            if is_mine(run.workspace, run.path):
                save_novelty(run.folder, known)
            else:
                _held.put((run_path, run.model_sha256), known)
        return known


def learns_first(run: RunRecord, epoch: int | None = None) -> bool:
    """Whether the next answer has to wait until the images were looked at."""
    best = epoch in (None, run.best and run.best.epoch) and not run.active
    return best and not knows(run.folder, run.model_sha256) and can_learn(run)


def _learn(run: RunRecord, task: TaskContext) -> Novelty | None:
    try:
        dataset = dataset_of(run)
    except DatasetNotFoundError:
        return None
    taught = _evenly(dataset.of_split("train"), MOST_LOOKED_AT)
    held_out = _evenly(dataset.of_split("validation"), MOST_LOOKED_AT // 2)
    if not taught or not held_out:
        return None
    predictor = open_predictor(run.path)
    found = _look(predictor, [dataset.path_of(record) for record in (*taught, *held_out)], task)
    if found is None:
        return None
    order = {name: place for place, name in enumerate(run.classes)}
    return fit_novelty(
        found[: len(taught)],
        np.array([order.get(dataset.classes[record.label], 0) for record in taught]),
        [record.file for record in taught],
        found[len(taught) :],
        run.model_sha256 or "",
        predictor.depths,
    )


def _evenly(records: Sequence[ImageRecord], count: int) -> list[ImageRecord]:
    return [records[place] for place in evenly([record.label for record in records], count)]


def _look(predictor: Predictor, paths: list[Path], task: TaskContext) -> Features | None:
    pieces = []
    for start in range(0, len(paths), _BATCH):
        task.stop_if_asked("Learning what is known was stopped.")
        task.report(start, len(paths), LOOKING)
        chosen = paths[start : start + _BATCH]
        images = [predictor.reading.of_stored(path) for path in chosen]
        _, features = predictor.look(np.stack(images))
        if features is None:
            return None
        pieces.append(features)
    task.report(len(paths), len(paths))
    return np.concatenate(pieces)
