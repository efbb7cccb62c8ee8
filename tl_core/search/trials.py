"""The loop over the trials of a search: Optuna proposes, a head is measured, what cannot win ends early.

Every trial is an event in the folder of the search, whole or not at all. From these events alone a search goes on:
Optuna is told of all of them when it begins (https://optuna.readthedocs.io, ask and tell).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import optuna
from optuna.trial import TrialState
from sklearn.model_selection import StratifiedKFold

from tl_core.config import TrainingConfig
from tl_core.search.features import Features
from tl_core.search.heads import Mask, Material, Outcome, fit_head
from tl_core.search.history import COMPLETE, PRUNED, Trial
from tl_core.search.space import Dimension, Params, Source, configure, source_of

LOSS_WEIGHT: Final = 0.01  # of the held-out loss against the accuracy, so that of equal ones the surer one leads
COST_WEIGHT: Final = 0.005  # of a backbone that takes twice as long, where size and milliseconds matter, too
CROSS_VALIDATED: Final = 800  # images for training and validation; up to so many are cross-validated
FEW: Final = 200  # images
FOLDS: Final = 3
MANY_FOLDS: Final = 5  # where there are few images
RUNGS: Final = 12  # steps in which Optuna is told how a training goes
LONGEST: Final = 0.04  # of the time for a search, that one trial may take
_MINIMUM: Final = 2  # rungs before a trial can end early
_STARTUP: Final = 15  # trials before the sampler learns from them
_REFUSED: Final = 8  # proposals in a row that would take too long
_STARTS: Final[tuple[Mapping[str, Any], ...]] = (  # tried first with every source of features
    {"units": 0, "dropout": 0.2, "learning_rate": 5e-3, "weight_decay": 0.1, "batch_size": 64},
    {"blocks": 3, "pooling": "both", "units": 0, "dropout": 0.2, "learning_rate": 3e-3, "weight_decay": 0.1},
    {"blocks": 3, "pooling": "both", "units": 256, "learning_rate": 1e-3, "batch_size": 64},
)


def held_out_images(features: Features, seed: int) -> Mask:
    """Which images each fold holds out ``(folds, n)``: the dataset's validation images, or all in turns where few."""
    images = len(features.labels)
    if images > CROSS_VALIDATED:
        return features.validation[None]
    return folds_of(features, seed)


def folds_of(features: Features, seed: int) -> Mask:
    """Folds of a cross-validation over training and validation images, the classes evenly among them."""
    most = MANY_FOLDS if len(features.labels) <= FEW else FOLDS
    smallest = int(np.bincount(features.labels, minlength=features.classes).min())
    folds = StratifiedKFold(max(2, min(most, smallest)), shuffle=True, random_state=seed % 2**32)
    masks = np.zeros((folds.get_n_splits(), len(features.labels)), bool)
    for mask, (_, rows) in zip(masks, folds.split(features.labels, features.labels), strict=True):
        mask[rows] = True
    return masks


@dataclass
class TrialLoop:
    """Proposes and measures trials.

    Args:
        found: what may be chosen.
        quick_start: the settings of *Quick start*, the line to beat.
        masks: which images each fold holds out ``(folds, n)``.
        seconds: that the whole search may take.
        seed: of the proposals, the folds and the heads.
        small: whether size and milliseconds matter, too.
        elapsed: seconds that the search has taken.
        done: given every trial that has ended.
        trials: of the search so far.
    """

    found: Sequence[Dimension]
    quick_start: Params
    masks: Mask
    seconds: float
    seed: int
    small: bool
    elapsed: Callable[[], float]
    done: Callable[[Trial], None]
    trials: list[Trial] = field(default_factory=list)

    def __post_init__(self) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        self._distributions = {dimension.name: _distribution(dimension) for dimension in self.found}
        sampler = optuna.samplers.TPESampler(
            multivariate=True,
            n_startup_trials=_STARTUP,
            seed=self.seed + len(self.trials),
        )
        pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=_MINIMUM, reduction_factor=3)
        self.study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
        for trial in self.trials:
            self.study.add_trial(self._as_known(trial))
        self._pace = 0.0  # seconds of a trial per unit of `_work`

    def try_first(self, params: Params) -> None:
        """Have this choice measured next, to its end, unless it has been."""
        if not any(trial.params == dict(params) for trial in self.trials):
            self.study.enqueue_trial(dict(params), user_attrs={"fixed": True})

    def try_source(self, source: Source) -> None:
        """Have a few good choices measured next on a new source of features."""
        for changes in _STARTS:
            self.try_first({**self.quick_start, "source": source.name, **changes})

    @property
    def waiting(self) -> int:
        """Choices that are measured next."""
        return len(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    @property
    def complete(self) -> list[Trial]:
        """The trials that were measured to their end, the best first; of equal ones the earlier."""
        complete = [trial for trial in self.trials if trial.state == COMPLETE]
        return sorted(complete, key=lambda trial: (-trial.score, trial.number))

    def run_one(self, features: Callable[[Source], Features], should_stop: Callable[[], bool]) -> None:
        """Propose and measure one trial; one that is stopped leaves no trace."""
        trial = self._ask(features)
        source, config = source_of(trial.params), configure(trial.params, self.seed)
        fixed, number = bool(trial.user_attrs.get("fixed")), 1 + max((one.number for one in self.trials), default=-1)
        began, steps = time.monotonic(), list[tuple[int, float]]()

        def report(share: float, accuracy: float, loss: float) -> bool:
            step, score = max(1, round(share * RUNGS)), self._score(accuracy, loss, source)
            steps.append((step, score))
            trial.report(score, step)
            return not fixed and trial.should_prune()

        material = self._material(features(source), config, self.masks)
        outcome = fit_head(config, material, report, should_stop)
        seconds, pruned = time.monotonic() - began, outcome.ended_early
        if should_stop():
            self.study.tell(trial, state=TrialState.FAIL)
            return
        score = self._score(outcome.accuracy, outcome.loss, source)
        self.study.tell(trial, None if pruned else score, TrialState.PRUNED if pruned else TrialState.COMPLETE)
        if not pruned:
            work = _work(config, self.masks.shape, material.views.shape[-1], material.classes)
            self._pace = max(self._pace, seconds / work)
        measured = Trial(
            number=number,
            params=dict(trial.params),
            state=PRUNED if pruned else COMPLETE,
            accuracy=outcome.accuracy,
            loss=outcome.loss,
            score=score,
            steps=tuple(steps),
            seconds=seconds,
            elapsed=self.elapsed(),
            right="" if pruned else np.packbits(outcome.right).tobytes().hex(),
        )
        self.trials.append(measured)
        self.done(measured)

    def remeasure(self, trial: Trial, features: Features) -> float:
        """The score of a choice with other folds and other first weights."""
        seed = self.seed + 1000
        config = configure(trial.params, seed)
        outcome = fit_head(config, self._material(features, config, folds_of(features, seed)))
        return self._score(outcome.accuracy, outcome.loss, source_of(trial.params))

    def on_validation(self, params: Params, features: Features) -> Outcome:
        """Measure a choice as its run will be: trained on the training images, asked about the validation images."""
        config = configure(params, self.seed)
        return fit_head(config, self._material(features, config, features.validation[None]))

    def importances(self) -> dict[str, float]:
        """How much each setting mattered, adding up to 1; empty while there is too little to say so."""
        complete = self.complete
        if len(complete) < _STARTUP or len({trial.score for trial in complete}) < 2:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        return {name: float(share) for name, share in found.items()}

    def _ask(self, features: Callable[[Source], Features]) -> optuna.Trial:
        """A proposal that does not take too long, or the last of several that do."""
        for _ in range(_REFUSED):
            trial = self.study.ask(self._distributions)
            if trial.user_attrs.get("fixed"):
                break
            config, images = configure(trial.params, self.seed), features(source_of(trial.params))
            expected = self._pace * _work(config, self.masks.shape, images.count(config.head), images.classes)
            if expected <= LONGEST * self.seconds:
                break
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            trial = self.study.ask(self._distributions)
        return trial

    def _material(self, features: Features, config: TrainingConfig, masks: Mask) -> Material:
        return Material(features.of(config.head), features.labels, features.classes, masks)

    def _score(self, accuracy: float, loss: float, source: Source) -> float:
        cost = COST_WEIGHT * float(np.log2(source.cost)) if self.small else 0.0
        return accuracy - LOSS_WEIGHT * min(loss, 5.0) - cost

    def _as_known(self, trial: Trial) -> optuna.trial.FrozenTrial:
        complete = trial.state == COMPLETE
        return optuna.trial.create_trial(
            state=TrialState.COMPLETE if complete else TrialState.PRUNED,
            params=trial.params,
            distributions=self._distributions,
            value=trial.score if complete else None,
            intermediate_values=dict(trial.steps),
        )


def _distribution(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    if dimension.choices:
        return optuna.distributions.CategoricalDistribution(dimension.choices)
    return optuna.distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _work(config: TrainingConfig, masks: tuple[int, ...], features: int, classes: int) -> float:
    """How long a training takes, in a unit of its own: products of matrices, and steps with their updates."""
    folds, images = masks
    parameters = features * (sum(config.head.dense_units) or classes)
    return float(folds * config.epochs * parameters * (images + 16 * images / config.batch_size))
