"""What earlier runs have left on the disk that a new one need not compute again."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final

from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig
from tl_core.data.dataset import Dataset
from tl_core.features.cache import DiskCache
from tl_core.runs import list_runs, read_events
from tl_core.storage.workspace import Workspace

_RUNS_LOOKED_AT: Final = 50


def features_are_kept(
    config: TrainingConfig, frozen_layers: int, dataset: Dataset, workspace: Workspace, cache: DiskCache
) -> bool:
    """Whether the output of the first layers for these images is on the disk, as an earlier run has told.

    Args:
        frozen_layers: of the phase: all layers while the head learns.
    """
    wanted = _made_from(config)
    for run in list_runs(workspace)[:_RUNS_LOOKED_AT]:
        if run.dataset_fingerprint == dataset.fingerprint and _made_from(run.config) == wanted:
            file = run.folder.events_file
            told = _entries_in(file, file.stat().st_mtime_ns) if file.exists() else ()
            if any(layers == frozen_layers and cache.holds(entry) for layers, entry in told):
                return True
    return False


def _made_from(config: TrainingConfig) -> dict[str, Any]:
    """The settings that the frozen layers' output depends on."""
    views = config.views if config.augmentation.enabled and config.augmentation_mode == "cached_views" else 0
    made: dict[str, Any] = {
        "backbone": config.backbone,
        "image_size": config.image_size or get_backbone(config.backbone).image_size,
        "weights": config.weights,
        "pooling": config.head.pooling,
        "precision": config.precision,
        "augmented": config.augmentation.enabled,
        "views": views,
    }
    if views:
        made["augmentation"] = config.augmentation.to_dict()
    if views or config.weights == "random":
        made["seed"] = config.seed
    return made


@functools.lru_cache(maxsize=512)
def _entries_in(events_file: Path, _changed: int) -> tuple[tuple[int, str], ...]:
    return tuple(
        (event["frozen_layers"], event["entry"]) for event in read_events(events_file) if event["kind"] == "kept"
    )
