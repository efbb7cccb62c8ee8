"""How fast this machine trains one kind of model: measured once by `speed_benchmark`, kept in a file."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig
from tl_core.config.phases import FINE_TUNE, HEAD, fine_tunes
from tl_core.errors import WorkspaceError
from tl_core.machine.hardware import detect_hardware
from tl_core.storage.files import read_json, write_json
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class PhaseSpeed:
    """One phase, in seconds."""

    compile: float  # the frozen layers
    frozen: float  # an image through the frozen layers
    changed: float  # an image changed at random and then through the frozen layers; 0 without augmentation
    trace: float  # what the first batches take longer than the others
    learn: float  # to learn from an image whose input is at hand
    check: float  # to judge an image whose input is at hand


@dataclass(frozen=True, slots=True)
class Speed:
    """One kind of training on one machine, in seconds."""

    build: float  # backbone and classifier
    save: float  # the model file, once
    decode: float  # one million pixels of a stored image, to decode and to resize
    head: PhaseSpeed
    fine_tune: PhaseSpeed | None = None


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
    """Keep a measurement for `load_speed`.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
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
