"""Runs candidates over sets, sizes and seeds."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from benchmarks.defaults.features import Features, cache_folder, load_features
from benchmarks.defaults.fine_tuning import TwoPhases, load_activations, try_both_phases
from benchmarks.defaults.image_sets import SETS, ImageSet, Indices, load_set
from benchmarks.defaults.record import Record, Trial
from benchmarks.defaults.sampling import SEEDS, SIZES, Draw, draw, thinned
from benchmarks.defaults.trials import HeadTrials, Outcome
from tl_core.config import TrainingConfig

_VERSION: Final = 1  # of how a trial is carried out

_SECOND_PHASE: Final = ("frozen_layers", "fine_tune_epochs", "fine_tune_learning_rate")  # a head knows nothing of it

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The cells in which candidates are compared."""

    sets: tuple[str, ...] = tuple(SETS)
    sizes: tuple[int | None, ...] = SIZES
    seeds: tuple[int, ...] = SEEDS
    judged_by: str = "development"  # development, to choose; test, to report
    unbalanced: bool = False  # whether rare classes have a tenth of the training images of common ones


def run_heads(candidates: Mapping[str, TrainingConfig], grid: Grid, tell: Tell = print) -> dict[Trial, Outcome]:
    """Train every candidate's head in every cell.

    Args:
        candidates: configurations by name.
        grid: sets, sizes and seeds.
        tell: told each outcome in a line.
    """
    record = Record(cache_folder() / "heads.jsonl", Outcome.from_dict)
    found: dict[Trial, Outcome] = {}
    for set_name in grid.sets:
        images, features = _material(set_name)
        for size, name in itertools.product(grid.sizes, candidates):
            draws = {seed: _drawn(images, size, seed, grid) for seed in grid.seeds}
            trials = HeadTrials(candidates[name], images, features)
            for seed, drawn in draws.items():
                trial = Trial(candidate=name, set_name=set_name, size=size, seed=seed)
                about = _about(images, trial, replace(candidates[name], seed=seed), grid)
                about["config"] = {key: value for key, value in about["config"].items() if key not in _SECOND_PHASE}
                found[trial] = record.outcome(about, _run_one(trials, seed, drawn, getattr(drawn, grid.judged_by)))
                tell(f"{trial}: {found[trial].accuracy:.3f} in {found[trial].seconds:.1f} s")
    return found


def _run_one(trials: HeadTrials, seed: int, drawn: Draw, judged: Indices) -> Callable[[], Outcome]:
    """A trial yet to be run."""
    return lambda: trials.run(seed, drawn, judged)


def _drawn(images: ImageSet, size: int | None, seed: int, grid: Grid) -> Draw:
    drawn = draw(images, size, seed)
    return thinned(images, drawn, seed) if grid.unbalanced else drawn


def run_fine_tuning(
    candidates: Mapping[str, tuple[str, TrainingConfig]], grid: Grid, tell: Tell = print
) -> dict[Trial, TwoPhases]:
    """Train both phases of every candidate, a depth of `fine_tuning.DEPTHS` and a configuration, in every cell."""
    record = Record(cache_folder() / "fine_tuning.jsonl", TwoPhases.from_dict)
    found: dict[Trial, TwoPhases] = {}
    for set_name in grid.sets:
        images, features = _material(set_name)
        for size, seed, name in itertools.product(grid.sizes, grid.seeds, candidates):
            (depth, config), drawn = candidates[name], draw(images, size, seed)
            config = replace(config, seed=seed)
            make = functools.partial(_fine_tune, depth, config, images, features, drawn, grid.judged_by)
            trial = Trial(candidate=name, set_name=set_name, size=size, seed=seed)
            found[trial] = record.outcome(_about(images, trial, config, grid) | {"depth": depth}, make)
            first, second = found[trial].head, found[trial].tuned
            tell(f"{trial}: {first.accuracy:.3f} -> {second.accuracy:.3f} in {second.seconds:.1f} s")
    return found


@functools.lru_cache(maxsize=1)
def _material(set_name: str) -> tuple[ImageSet, Features]:
    images = load_set(set_name)
    return images, load_features(images)


def _about(images: ImageSet, trial: Trial, config: TrainingConfig, grid: Grid) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "set": images.fingerprint,
        "size": trial.size,
        "judged_by": grid.judged_by,
        "unbalanced": grid.unbalanced,
        "config": config.to_dict() | {"preset": ""},
    }


def _fine_tune(
    depth: str, config: TrainingConfig, images: ImageSet, features: Features, drawn: Any, judged_by: str
) -> TwoPhases:
    judged = getattr(drawn, judged_by)
    rows = np.concatenate([drawn.train, drawn.watched, judged])
    return try_both_phases(config, images, features, load_activations(images, depth, rows), drawn, judged)
