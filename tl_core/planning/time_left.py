"""How long a whole training still takes, over all its phases, and how much of it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tl_core.config import TrainingConfig
from tl_core.config.phases import phases_of
from tl_core.data.dataset import Dataset
from tl_core.planning.plan import plan_training
from tl_core.runs import RunProgress
from tl_core.runs.progress import ENDING_STAGES, FIRST_STAGE
from tl_core.storage.workspace import Workspace

_ENDING: Final = 0.99  # of the bar, while the best model is measured and saved
_STARTED: Final = 0.2  # of a phase, that what comes before its images are counted may take of the bar
_OVERDUE: Final = 0.25  # of the time a phase has been waited for, that it takes longer still, however it was planned


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Where a training stands as a whole."""

    seconds: float | None  # None where nothing can be said
    fraction: float  # that is done, 0-1
    epoch: int  # 0 before the first
    epochs: int  # with which it ends, unless a phase ends early; 0 where that is not known yet
    phase: int  # the place of the phase it is in, or is on its way to, from 1 on
    phases: int


def planned_seconds(config: TrainingConfig, dataset: Dataset, workspace: Workspace) -> dict[str, float]:
    """Seconds that each phase should take, with what runs once before it, by its name."""
    planned = plan_training(config, dataset, workspace).phases
    return {phase.name: plan.seconds for phase, plan in zip(phases_of(config), planned, strict=False)}


def time_left(config: TrainingConfig, progress: RunProgress, planned: Mapping[str, float], now: float) -> TimeLeft:
    """What is left of a run at work.

    Args:
        config: of the run.
        progress: where it stands.
        planned: from `planned_seconds`; empty where nothing could be planned.
        now: the current time in Unix seconds.
    """
    phases = phases_of(config)
    place = _place([phase.name for phase in phases], progress)
    if place == len(phases):  # it measures and saves
        return TimeLeft(None, _ENDING, progress.epoch, progress.epochs, place, place)
    here, later = phases[place], phases[place + 1 :]
    begun = progress.training_phase == here.name
    epochs = (progress.epochs if begun else progress.epoch + here.epochs) + sum(phase.epochs for phase in later)
    where = progress.epoch, epochs, place + 1, len(phases)
    ahead = [planned.get(phase.name) for phase in later]
    here_left = _seconds_of_phase(progress, here.name, planned, now)
    if here_left is None or None in ahead:
        return TimeLeft(None, progress.epoch / max(1, epochs), *where)
    seconds = here_left + sum(found or 0.0 for found in ahead)
    elapsed = progress.elapsed_seconds(now)
    fraction = min(_ENDING, elapsed / max(1e-6, elapsed + seconds))
    if progress.images_total and not begun:  # beside the bar: it must not be far ahead of them
        weights = [planned.get(phase.name, 0.0) for phase in phases]
        counted = _STARTED + (1 - _STARTED) * progress.fraction
        fraction = min(fraction, (sum(weights[:place]) + weights[place] * counted) / max(1e-6, sum(weights)))
    return TimeLeft(seconds, fraction, *where)


def _seconds_of_phase(progress: RunProgress, name: str, planned: Mapping[str, float], now: float) -> float | None:
    """What is left of a phase: at its pace so far, or as it was planned while what comes before it is at work."""
    stage = progress.remaining_seconds(now)
    if progress.phase == name:
        return stage
    expected = planned.get(name)
    if expected is None:
        return None
    waited = progress.phase_seconds(now)
    return max(stage or 0.0, expected - waited, _OVERDUE * waited)


def _place(names: Sequence[str], progress: RunProgress) -> int:
    """The place of the phase that a training is in, or prepares; as many as there are once all have ended."""
    if progress.phase in ENDING_STAGES:
        return len(names)
    if progress.training_phase not in names:
        return 0
    place = names.index(progress.training_phase)
    between = progress.phase not in names and progress.phase != FIRST_STAGE
    return min(place + 1, len(names) - 1) if between and progress.epoch >= progress.epochs else place
