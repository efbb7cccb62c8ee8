"""A training, begun: its run is made, named, and put into the queue."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig
from tl_core.data import Dataset
from tl_core.errors import WorkspaceError
from tl_core.jobs import manager
from tl_core.planning.speed_meter import speed_meter
from tl_core.runs import RunRecord, create_run, list_runs
from tl_core.runs.store import RUNS
from tl_core.runs.watched_images import NewWatchedImage, save_watched_images
from tl_core.storage.workspace import Workspace


def begin_training(
    workspace: Workspace, config: TrainingConfig, dataset: Dataset, watched: Sequence[NewWatchedImage]
) -> RunRecord:
    """Make a run and queue it; whatever is being measured ends for it.

    Args:
        workspace: of the person who trains.
        config: of the training.
        dataset: that it learns from, in the revision that this is.
        watched: pictures to watch meanwhile.

    Raises:
        WorkspaceError: the workspace has reached its quota, or cannot be written.
    """
    speed_meter(workspace).stop()
    run = create_run(workspace, config, dataset, _free_name(workspace, config, dataset))
    try:
        save_watched_images(run.folder, watched)
    except WorkspaceError:
        RUNS.delete(workspace, run.id)  # else it would wait for ever
        raise
    manager(workspace).submit(run.id)
    return run


def _free_name(workspace: Workspace, config: TrainingConfig, dataset: Dataset) -> str:
    title = get_backbone(config.backbone).title
    taken = {run.name for run in list_runs(workspace)}
    # What is trained on what; a number from the second such run on stands where a narrow table does not cut it off.
    numbers = itertools.chain([""], (f" {number}" for number in itertools.count(2)))
    names = (f"{dataset.name}{number}, {title}" for number in numbers)
    return next(name for name in names if name not in taken)
