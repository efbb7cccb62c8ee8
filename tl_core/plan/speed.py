"""How fast the frozen backbone runs here: measured in earlier runs, else guessed from published figures."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

from tl_core.backbones.record import Backbone
from tl_core.config import TrainingConfig
from tl_core.hardware import detect_hardware
from tl_core.runs import RunRecord, list_runs, read_events
from tl_core.workspace import Workspace

# Guesses for a backbone that has never run here. The published milliseconds are of a step on 92 cores; one image on
# two cores takes about as long (ResNet50: 58 ms published, 62 ms per image measured with TensorFlow on two cores).
_CORES_OF_THE_GUESS: Final = 2
_SECONDS_WITHOUT_FIGURE: Final = 0.010  # EfficientNet-Lite0 on two cores with OpenVINO
_GPU_SPEEDUP: Final = 10.0
_RUNS_LOOKED_AT: Final = 50


def seconds_per_image(config: TrainingConfig, backbone: Backbone, workspace: Workspace) -> tuple[float, bool]:
    """Seconds one image needs through the whole frozen backbone, and whether that was measured on this machine."""
    size = config.image_size or backbone.image_size
    for run in list_runs(workspace)[:_RUNS_LOOKED_AT]:
        same = run.config.backbone == backbone.name and (run.config.image_size or backbone.image_size) == size
        if same and (rate := _measured_rate(run)):
            return 1 / rate, True
    return _guess(backbone, size), False


def _measured_rate(run: RunRecord) -> float | None:
    events_file = run.folder.events_file
    if run.active or not events_file.exists():
        return None
    return _rate_in(events_file, events_file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=512)
def _rate_in(events_file: Path, _changed: int) -> float | None:
    rates = [
        event["images_per_second"]
        for event in read_events(events_file)
        if event["kind"] == "progress" and event.get("phase") == "features" and event.get("images_per_second")
    ]
    return float(rates[-1]) if rates else None


def _guess(backbone: Backbone, size: int) -> float:
    hardware = detect_hardware()
    published = backbone.cpu_ms / 1000 if backbone.cpu_ms else _SECONDS_WITHOUT_FIGURE
    on_two_cores = published * (size / backbone.image_size) ** 2
    if hardware.gpus:
        return on_two_cores / _GPU_SPEEDUP
    return on_two_cores * _CORES_OF_THE_GUESS / hardware.cores
