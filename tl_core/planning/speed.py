"""How fast a training will run here: measured for its kind, else guessed from earlier runs and published figures.

A measurement by `speed_benchmark` is stored in a file of the workspace, one per kind of training and machine.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from tl_core.backbones.outline import load_outline
from tl_core.backbones.record import Backbone
from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig
from tl_core.config.phases import FINE_TUNE, HEAD, fine_tunes
from tl_core.errors import WorkspaceError
from tl_core.machine.hardware import detect_hardware
from tl_core.runs import RunRecord, list_runs, read_events
from tl_core.storage.files import read_json, write_json
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

_VERSION: Final = 2

# Guesses for what has never run here. The published milliseconds are of a step on 92 cores; one image on
# two cores takes about as long (ResNet50: 58 ms published, 62 ms per image measured with TensorFlow on two cores).
_CORES_OF_THE_GUESS: Final = 2
_SECONDS_WITHOUT_FIGURE: Final = 0.010  # EfficientNet-Lite0 on two cores with OpenVINO
_GPU_SPEEDUP: Final = 10.0
RUNS_LOOKED_AT: Final = 50
RUNS_ASKED: Final = 5  # of those the last of the same backbone

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
class PhaseSpeed:
    """One phase, in seconds."""

    compile: float  # the frozen layers
    frozen: float  # an image through the frozen layers
    changed: float  # an image changed at random and then through the frozen layers; 0 without augmentation
    trace: float  # what the first batches take longer than the others
    learn: float  # training step per image whose input is cached
    check: float  # evaluation per image whose input is cached


@dataclass(frozen=True, slots=True)
class Speed:
    """One kind of training on one machine, in seconds."""

    build: float  # backbone and classifier
    save: float  # the model file, once
    decode: float  # one million pixels of a stored image, to decode and to resize
    head: PhaseSpeed
    fine_tune: PhaseSpeed | None = None
    quiet: bool = False  # measured while nothing else worked; else it is measured again when nothing does

    def better_of(self, other: Speed) -> Speed:
        """The one measured in quiet; of two alike the smaller figures, as other work can only have slowed them."""
        if self.quiet != other.quiet:
            return self if self.quiet else other
        smaller = {name: min(getattr(self, name), getattr(other, name)) for name in ("build", "save", "decode")}
        return replace(
            self,
            **smaller,
            head=_faster(self.head, other.head),
            fine_tune=self.fine_tune and other.fine_tune and _faster(self.fine_tune, other.fine_tune),
        )


def _faster(one: PhaseSpeed, other: PhaseSpeed) -> PhaseSpeed:
    names = [field.name for field in fields(PhaseSpeed)]
    return PhaseSpeed(**{name: min(getattr(one, name), getattr(other, name)) for name in names})


def load_speed(workspace: Workspace, config: TrainingConfig) -> Speed | None:
    """What was measured on this machine for trainings of this kind, or None."""
    path = _file(workspace, config)
    try:
        values = read_json(path)
        phases = {name: PhaseSpeed(**values.pop(name)) for name in (HEAD, FINE_TUNE) if values.get(name) is not None}
        return Speed(**{**values, **phases})
    except FileNotFoundError:
        return None
    except (OSError, WorkspaceError, TypeError, KeyError, AttributeError) as error:
        logger.warning("The measurement %s cannot be read and is made again: %s", path.name, error)
        return None


def save_speed(workspace: Workspace, config: TrainingConfig, speed: Speed) -> None:
    """Save a measurement for `load_speed`, unless an earlier one was better, see `Speed.better_of`.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
    if (earlier := load_speed(workspace, config)) is not None:
        speed = speed.better_of(earlier)
    path = _file(workspace, config)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(speed))


def kind_of(config: TrainingConfig) -> dict[str, Any]:
    """What the speed depends on: two configurations of one kind run equally fast."""
    return {
        "backbone": config.backbone,
        "image_size": config.image_size or get_backbone(config.backbone).image_size,
        "frozen_layers": config.frozen_layers if fine_tunes(config) else None,
        "head": config.head.to_dict(),
        "augmentation": config.augmentation_mode if config.augmentation.enabled else None,
        "batch_size": config.batch_size,
        "optimizer": config.optimizer,
        "precision": config.precision,
    }


def _file(workspace: Workspace, config: TrainingConfig) -> Path:
    hardware = detect_hardware()
    machine = [hardware.summary, hardware.cores]
    text = json.dumps([_VERSION, machine, kind_of(config)], sort_keys=True)
    return workspace.speeds / f"{config.backbone}-{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"


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
    """All of it from the one figure that matters most: seconds of one image through the whole frozen backbone."""
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
    rates: list[tuple[str | None, float]] = []  # with the device, newest first
    for run in list_runs(workspace)[:RUNS_LOOKED_AT]:
        same = run.config.backbone == backbone.name and (run.config.image_size or backbone.image_size) == size
        if same and not run.active and (rate := past_features(run).images_per_second):
            rates.append((run.device, rate))
        if len(rates) == RUNS_ASKED:
            break
    if not rates:
        return _guess(backbone, size), False
    # Of several runs the fastest: one that had to share the machine says nothing about the next.
    return 1 / max(rate for device, rate in rates if device == rates[0][0]), True


@dataclass(frozen=True, slots=True)
class PastFeatures:
    """What the log of a run says of the frozen layers' output."""

    images_per_second: float | None = None
    cached: tuple[tuple[int, str], ...] = ()  # how many first layers, and the entry of the cache with their output


def past_features(run: RunRecord) -> PastFeatures:
    """Of a run; an unchanged log is read once."""
    file = run.folder.events_file
    return _features_in(file, file.stat().st_mtime_ns) if file.exists() else PastFeatures()


@functools.lru_cache(maxsize=512)
def _features_in(events_file: Path, _changed: int) -> PastFeatures:
    rate: float | None = None
    cached: list[tuple[int, str]] = []
    for event in read_events(events_file):
        if event["kind"] == "kept":
            cached.append((event["frozen_layers"], event["entry"]))
        elif event["kind"] == "progress" and event.get("phase") == "features":
            rate = event.get("images_per_second") or rate
    return PastFeatures(rate, tuple(cached))


def _guess(backbone: Backbone, size: int) -> float:
    hardware = detect_hardware()
    published = backbone.cpu_ms / 1000 if backbone.cpu_ms else _SECONDS_WITHOUT_FIGURE
    on_two_cores = published * (size / backbone.image_size) ** 2
    if hardware.gpus:
        return on_two_cores / _GPU_SPEEDUP
    return on_two_cores * _CORES_OF_THE_GUESS / hardware.cores
