"""How fast a training will run here: measured for its kind, else guessed from earlier runs and published figures.

A measurement by `speed_benchmark` is stored in a file of the workspace, one per kind of training and machine. It also
says how fast this machine is beside the published figures, so that the times measured for one kind of training and
guessed for another can be compared.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from tl_core.backbones.outline import load_outline
from tl_core.backbones.record import Backbone
from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig
from tl_core.config.phases import FINE_TUNE, HEAD, fine_tunes
from tl_core.errors import ConfigError, WorkspaceError
from tl_core.machine.hardware import detect_hardware
from tl_core.runs import RunRecord, list_runs, read_events
from tl_core.storage.files import read_json, write_json
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

_VERSION: Final = 2
_OF: Final = "of"  # in the file of a measurement: the machine and the kind of training

# Guesses for what has never run here. The published milliseconds are of a step on 92 cores; one image on
# two cores takes about as long (ResNet50: 58 ms published, 62 ms per image measured with TensorFlow on two cores).
_CORES_OF_THE_GUESS: Final = 2
_SECONDS_WITHOUT_FIGURE: Final = 0.010  # EfficientNet-Lite0 on two cores with OpenVINO
# The larger ones as many times slower as published for one phone: 12, 18, 26, 41 and 76 milliseconds.
_SLOWER_THAN_LITE0: Final = {f"efficientnet_lite{n}": ms / 12 for n, ms in enumerate((12, 18, 26, 41, 76))}
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
    return _read(_file(workspace, config))


def _read(path: Path) -> Speed | None:
    try:
        values = read_json(path)
        values.pop(_OF, None)
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
    write_json(path, {**asdict(speed), _OF: {"machine": _machine(), **kind_of(config)}})


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
    text = json.dumps([_VERSION, _machine(), kind_of(config)], sort_keys=True)
    return workspace.speeds / f"{config.backbone}-{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"


def _machine() -> list[Any]:
    hardware = detect_hardware()
    return [hardware.summary, hardware.cores]


@dataclass(frozen=True, slots=True)
class KnownSpeed:
    """A speed and how well it is known."""

    speed: Speed
    measured: bool  # on this machine: for this kind of training, or at least for its backbone
    exact: bool = False  # measured for this kind of training


def known_speed(config: TrainingConfig, workspace: Workspace) -> KnownSpeed:
    """The best that is known about how fast such a training runs here.

    What was measured in quiet counts as it is. What was measured while something else worked counts only for how the
    parts of a training compare; how long they take is set by the best that is known of this machine.
    """
    backbone = get_backbone(config.backbone)
    published = _published(backbone, config.image_size or backbone.image_size)
    own = load_speed(workspace, config)
    if own is not None and own.quiet:
        return KnownSpeed(own, measured=True, exact=True)
    runs = list_runs(workspace)[:RUNS_LOOKED_AT]
    seen = _observations(config, workspace, runs)
    factor = _factor(backbone, seen)
    if own is not None:
        return KnownSpeed(_as_it_ran(_at(own, published, factor), config, runs), measured=True, exact=True)
    measured = any(each.backbone == backbone.name for each in seen)
    others = [each for each in seen if each.speed is not None]
    like = min(others, key=lambda each: (not each.quiet, each.factor), default=None)
    around = _at(like.speed, like.published, factor) if like and like.speed else None
    return KnownSpeed(_speed_of(config, published * factor, around), measured)


@dataclass(frozen=True, slots=True)
class _Observation:
    """What one measurement or one earlier run says of this machine."""

    backbone: str
    published: float  # s, as long as an image through this backbone should have taken
    factor: float  # how many times as long it took
    quiet: bool = False
    speed: Speed | None = None  # of a measurement


def _factor(backbone: Backbone, seen: list[_Observation]) -> float:
    """How many times as long as published a backbone takes on this machine; 1 where nothing is known.

    Of several the fastest: one that had to share the machine says nothing about the next. All backbones count, as all
    were slowed alike; only where nothing was published of this one, what others took says less than what it took.
    """
    own = [each for each in seen if each.backbone == backbone.name]
    quiet = [each for each in own if each.quiet]
    unpublished = own if backbone.cpu_ms is None and backbone.name not in _SLOWER_THAN_LITE0 else []
    return min((each.factor for each in quiet or unpublished or seen), default=1.0)


def _at(speed: Speed, published: float, factor: float) -> Speed:
    """A measurement, all of it as much shorter as its frozen backbone would be with this factor; never longer."""
    if speed.quiet or not speed.head.frozen:
        return speed
    times = min(1.0, published * factor / speed.head.frozen)
    return replace(
        speed,
        build=speed.build * times,
        save=speed.save * times,
        decode=speed.decode * times,
        head=_shorter(speed.head, times),
        fine_tune=speed.fine_tune and _shorter(speed.fine_tune, times),
    )


def _as_it_ran(speed: Speed, config: TrainingConfig, runs: Sequence[RunRecord]) -> Speed:
    """A measurement whose head learns no slower than it has in an earlier run of the same kind."""
    kind = kind_of(config)
    same = [run for run in runs if not run.active and _is_of(run, kind)]
    here = [run for run in same[:RUNS_ASKED] if run.device == same[0].device]
    rates = [rate for run in here if (rate := past_features(run).learned_per_second)]
    times = min(1.0, 1 / max(rates) / speed.head.learn) if rates and speed.head.learn else 1.0
    head = replace(speed.head, learn=speed.head.learn * times, check=speed.head.check * times)
    return replace(speed, head=head)


def _is_of(run: RunRecord, kind: Mapping[str, Any]) -> bool:
    try:
        return kind_of(run.config) == kind
    except ConfigError:  # its network has been deleted since
        return False


def _shorter(phase: PhaseSpeed, times: float) -> PhaseSpeed:
    return PhaseSpeed(**{field.name: getattr(phase, field.name) * times for field in fields(PhaseSpeed)})


def _speed_of(config: TrainingConfig, frozen: float, around: Speed | None) -> Speed:
    """All of it from the one figure that matters most.

    Args:
        frozen: seconds of one image through the whole frozen backbone.
        around: of another kind of training on this machine: what depends little on the kind is taken from it.
    """
    layers = len(load_outline(config.backbone).layers)
    open_share = 1 - (layers if config.frozen_layers is None else config.frozen_layers) / layers
    changed = frozen * _CHANGED_PASS if config.augmentation.enabled else 0.0
    around = around or Speed(_BUILD, _SAVE, _DECODE, PhaseSpeed(_COMPILE, 0, 0, _TRACE, _HEAD, _HEAD / 3))
    head = replace(around.head, frozen=frozen, changed=changed)
    below, above = 1 - open_share, open_share
    tail = PhaseSpeed(
        head.compile,
        frozen * below,
        changed * below,
        2 * head.trace,
        head.learn + frozen * above * _TRAINED_PASS,
        head.check + frozen * above,
    )
    return replace(around, head=head, fine_tune=tail, quiet=False)


def _observations(config: TrainingConfig, workspace: Workspace, runs: Sequence[RunRecord]) -> list[_Observation]:
    """All that was measured on this machine, and how fast the last runs were, in the precision of this training."""
    seen, mine = list[_Observation](), (_machine(), config.precision)
    for path in sorted(workspace.speeds.glob("*-*.json")):
        of, speed = _what_of(path), _read(path)
        if speed is None or not speed.head.frozen or (of.get("machine"), of.get("precision")) != mine:
            continue
        if (published := _published_of(of["backbone"], of["image_size"])) is not None:
            factor = speed.head.frozen / published
            seen.append(_Observation(of["backbone"], published, factor, speed.quiet, speed))
    return seen + _earlier_runs(config, runs)


def _what_of(path: Path) -> dict[str, Any]:
    """The machine and the kind that a measurement is of; empty for one of an earlier version, or a damaged one."""
    try:
        of = read_json(path).get(_OF)
    except (OSError, WorkspaceError, AttributeError):
        return {}  # `_read` logs it
    return of if isinstance(of, dict) else {}


def _earlier_runs(config: TrainingConfig, runs: Sequence[RunRecord]) -> list[_Observation]:
    """Of the last few, and the last few of the same backbone, on the device of the last."""
    found: list[_Observation] = []
    device: str | None = None
    for run in runs:
        same = run.config.backbone == config.backbone
        if run.active or run.config.precision != config.precision:
            continue
        if sum((each.backbone == config.backbone) is same for each in found) >= RUNS_ASKED:
            continue
        published = _published_of(run.config.backbone, run.config.image_size)
        if published is None or not (rate := past_features(run).images_per_second):
            continue
        device = device or run.device
        if run.device == device:
            found.append(_Observation(run.config.backbone, published, 1 / rate / published))
    return found


@dataclass(frozen=True, slots=True)
class PastFeatures:
    """What the log of a run says of the frozen layers' output, and of how fast the head learned from it."""

    images_per_second: float | None = None
    cached: tuple[tuple[int, str], ...] = ()  # how many first layers, and the entry of the cache with their output
    learned_per_second: float | None = None  # images, at its fastest


def past_features(run: RunRecord) -> PastFeatures:
    """Of a run; an unchanged log is read once."""
    file = run.folder.events_file
    return _features_in(file, file.stat().st_mtime_ns) if file.exists() else PastFeatures()


@functools.lru_cache(maxsize=512)
def _features_in(events_file: Path, _changed: int) -> PastFeatures:
    rate: float | None = None
    learned: float | None = None
    cached: list[tuple[int, str]] = []
    for event in read_events(events_file):
        if event["kind"] == "kept":
            cached.append((event["frozen_layers"], event["entry"]))
        elif event["kind"] == "progress" and event.get("phase") == "features":
            rate = event.get("images_per_second") or rate
        elif event["kind"] == "batch" and event.get("phase") == HEAD:
            learned = max(learned or 0.0, event.get("images_per_second") or 0.0) or None
    return PastFeatures(rate, tuple(cached), learned)


def _published(backbone: Backbone, size: int) -> float:
    """Seconds one image of this size should need through the whole frozen backbone, by published figures."""
    hardware = detect_hardware()
    own_size = backbone.cpu_ms / 1000 if backbone.cpu_ms else _SECONDS_WITHOUT_FIGURE
    own_size *= _SLOWER_THAN_LITE0.get(backbone.name, 1.0)
    on_two_cores = own_size * (size / backbone.image_size) ** 2
    if hardware.gpus:
        return on_two_cores / _GPU_SPEEDUP
    return on_two_cores * _CORES_OF_THE_GUESS / hardware.cores


def _published_of(name: str, size: int | None) -> float | None:
    """The same by name; None for a network that has been deleted since."""
    try:
        backbone = get_backbone(name)
    except ConfigError:
        return None
    return _published(backbone, size or backbone.image_size)
