"""How fast a training will run here: measured for its kind, else guessed from earlier runs and published figures."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tl_core.backbones.outline import load_outline
from tl_core.backbones.record import Backbone
from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig
from tl_core.machine.hardware import detect_hardware
from tl_core.planning.measured_speed import PhaseSpeed, Speed, load_speed
from tl_core.runs import RunRecord, list_runs, read_events
from tl_core.storage.workspace import Workspace

# Guesses for what has never run here. The published milliseconds are of a step on 92 cores; one image on
# two cores takes about as long (ResNet50: 58 ms published, 62 ms per image measured with TensorFlow on two cores).
_CORES_OF_THE_GUESS: Final = 2
_SECONDS_WITHOUT_FIGURE: Final = 0.010  # EfficientNet-Lite0 on two cores with OpenVINO
_GPU_SPEEDUP: Final = 10.0
_RUNS_LOOKED_AT: Final = 50

# Costs relative to one pass through the frozen backbone, from measurements on two cores.
_CHANGED_PASS: Final = 1.3  # the random changes themselves come on top
_TRAINED_PASS: Final = 4.0  # forward and backward through unfrozen layers in TensorFlow

_BUILD: Final = 1.5  # s, a backbone of middle size
_COMPILE: Final = 2.5  # s
_TRACE: Final = 0.5  # s
_SAVE: Final = 1.0  # s
_DECODE: Final = 0.02  # s, one million pixels
_HEAD: Final = 1e-4  # s, one image of one epoch on stored features


@dataclass(frozen=True, slots=True)
class KnownSpeed:
    """A speed and how well it is known."""

    speed: Speed
    measured: bool  # on this machine: for this kind of training, or at least for its backbone
    exact: bool = False  # measured for this kind of training


def known_speed(config: TrainingConfig, workspace: Workspace) -> KnownSpeed:
    """The best that is known about how fast such a training runs here."""
    if (speed := load_speed(workspace, config)) is not None:
        return KnownSpeed(speed, measured=True, exact=True)
    backbone = get_backbone(config.backbone)
    seconds, measured = _seconds_per_image(config, backbone, workspace)
    return KnownSpeed(_speed_of(config, seconds), measured)


def _speed_of(config: TrainingConfig, frozen: float) -> Speed:
    """All of it from the one figure that matters most.

    Args:
        frozen: seconds of one image through the whole backbone.
    """
    layers = len(load_outline(config.backbone).layers)
    open_share = 1 - (layers if config.frozen_layers is None else config.frozen_layers) / layers
    changed = frozen * _CHANGED_PASS if config.augmentation.enabled else 0.0
    head = PhaseSpeed(_COMPILE, frozen, changed, _TRACE, _HEAD, _HEAD / 3)
    below, above = 1 - open_share, open_share
    tail = PhaseSpeed(
        _COMPILE, frozen * below, changed * below, 2 * _TRACE, _HEAD + frozen * above * _TRAINED_PASS, frozen * above
    )
    return Speed(_BUILD, _SAVE, _DECODE, head, tail)


def _seconds_per_image(config: TrainingConfig, backbone: Backbone, workspace: Workspace) -> tuple[float, bool]:
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
