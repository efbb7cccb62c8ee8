"""The loop over the trials of a search: Optuna proposes, a head is measured, what cannot win ends early.

Every trial is an event in the folder of the search, whole or not at all. From these events alone a search goes on:
Optuna is told of all of them when it begins (https://optuna.readthedocs.io, ask and tell), sampler and pruner alike.
They are kept in place of a storage of Optuna's, because none of those lets a choice among names grow, as backbones do
when minutes are added or weights arrive, and because they open without Optuna and whatever its version is.
"""

from __future__ import annotations

import contextlib
import statistics
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import optuna
from optuna.samplers import PartialFixedSampler
from optuna.trial import TrialState
from sklearn.model_selection import StratifiedKFold

from tl_core.config import TrainingConfig
from tl_core.search.ensembles import (
    NEAR,
    Answers,
    Candidate,
    candidates,
    mean_of,
    possible,
    rightly_together,
    select,
)
from tl_core.search.heads import Array, Features, Labels, Mask, Outcome, fit_head, fit_heads, material_of, together
from tl_core.search.history import COMPLETE, PRUNED, Trial
from tl_core.search.space import SOURCE, TOGETHER, Dimension, Params, Source, configure, fits, source_of

LOSS_WEIGHT: Final = 0.3  # of the held-out loss against the accuracy, at most
LOSS_IMAGES: Final = 100  # held-out images up to which it weighs so much
COST_WEIGHT: Final = 0.005  # of a backbone that takes twice as long, where size and milliseconds matter, too
CROSS_VALIDATED: Final = 800  # images for training and validation; up to so many are cross-validated
FEW: Final = 200  # images
FOLDS: Final = 3
MANY_FOLDS: Final = 5  # where there are few images
RUNGS: Final = 12  # steps in which Optuna is told how a training goes
LONGEST: Final = 0.01  # of the time for a search, that one trial may take
_MINIMUM: Final = 2  # rungs before a trial can end early
_REDUCTION: Final = 3  # one in so many goes on after a rung
_HALVING: Final = (_MINIMUM, _MINIMUM * _REDUCTION)  # the rungs at which it is decided
_HIDDEN_LONGEST: Final = 0.03  # and the one with a hidden layer that is tried first
_STARTUP: Final = 15  # trials before the sampler learns from them
_REFUSED: Final = 8  # proposals in a row that would take too long
_PACES: Final = 15  # trials, by whose seconds those of the next are estimated
_TOGETHER: Final = 8  # heads without a hidden layer that are trained at once
_VALUES: Final = 1 << 19  # values of their kernels at most
# Seconds of one processor for one value: of a feature that is read and dropped out, of a weight in the products with
# one image forth and back, and in one step of Adam (measured on two kinds of processors; the pace corrects them).
_READ, _DROP, _MULTIPLY, _UPDATE = 0.5e-9, 2e-9, 0.15e-9, 3e-9
# Regularized logistic regression on several blocks: without dropout and noise, close to its optimum.
_LOGISTIC: Final[Mapping[str, Any]] = {
    **{"blocks": 3, "pooling": "both", "units": 0, "dropout": 0.0},
    **{"learning_rate": 3e-3, "epochs": 60, "batch_size": 64},
}
_STARTS: Final[tuple[Mapping[str, Any], ...]] = (  # tried first with every source of features
    {"blocks": 3, "pooling": "both", "units": 0, "dropout": 0.2, "learning_rate": 3e-3, "weight_decay": 0.1},
    {**_LOGISTIC, "l2": 3e-3},
    {**_LOGISTIC, "l2": 3e-2},
    {"units": 0, "dropout": 0.2, "learning_rate": 5e-3, "weight_decay": 0.1, "batch_size": 64},
)
# With the source of Quick start alone: it takes ten times as long as a head without a hidden layer.
_HIDDEN: Final[Mapping[str, Any]] = {
    **{"blocks": 3, "pooling": "both", "units": 256},
    **{"learning_rate": 1e-3, "batch_size": 64},
}


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


@dataclass(frozen=True, slots=True)
class Proposal:
    """A choice that is to be measured."""

    trial: optuna.Trial
    config: TrainingConfig
    source: Source
    fixed: bool  # whether it is measured to its end however it goes
    expected: float  # seconds, by `_seconds_of` alone


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a proposal."""

    outcome: Outcome
    steps: tuple[tuple[int, float], ...]  # rung and score
    seconds: float  # its part of those that the heads trained with it took


@dataclass
class TrialLoop:
    """Proposes and measures trials.

    Args:
        found: what may be chosen.
        quick_start: the settings of *Quick start*, the line to beat.
        masks: which images each fold holds out ``(folds, n)``.
        labels: class of every image ``(n,)``.
        answers: where those of good trials are kept.
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
    labels: Labels
    answers: Answers
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
            constant_liar=True,  # several are at work at once
            n_startup_trials=_STARTUP,
            seed=self.seed + len(self.trials),
        )
        pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=_MINIMUM, reduction_factor=_REDUCTION)
        self.study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
        self.trials = [  # an earlier version weighed the loss otherwise
            replace(one, score=self.score(one.accuracy, one.loss, one.source.cost)) for one in self.trials
        ]
        for trial in self.trials:
            if trial.config is None and fits(trial.params, self.found):
                self.study.add_trial(self._as_known(trial))
        self._paces: deque[float] = deque(maxlen=_PACES)  # seconds of trials, by what was expected of them
        self._ready: list[list[Proposal]] = []  # asked for already

    def widened(self, found: Sequence[Dimension]) -> TrialLoop:
        """The same trials with more to choose from; Optuna is told of all of them anew."""
        wider = replace(self, found=found)
        wider._paces = self._paces
        return wider

    def try_first(self, params: Params) -> None:
        """Have this choice measured next, to its end, unless it has been."""
        if not any(trial.params == dict(params) for trial in self.trials):
            self.study.enqueue_trial(dict(params), user_attrs={"fixed": True})

    def try_source(self, source: Source, features: Features) -> None:
        """Have a few good choices measured next on a new source of features."""
        for changes in _STARTS:
            self.try_first({**self.quick_start, SOURCE: source.name, **changes})
        hidden = {**self.quick_start, **_HIDDEN}
        if source.name == hidden[SOURCE] and self._expected(hidden, features) <= _HIDDEN_LONGEST * self.seconds:
            self.try_first(hidden)

    @property
    def waiting(self) -> int:
        """Choices that are measured next."""
        return self._enqueued + sum(len(group) for group in self._ready)

    @property
    def _enqueued(self) -> int:
        return len(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    @property
    def complete(self) -> list[Trial]:
        """The trials that were measured to their end, the best first; of equal ones the earlier."""
        complete = [trial for trial in self.trials if trial.state == COMPLETE]
        return sorted(complete, key=lambda trial: (-trial.score, trial.number))

    def propose(self, features: Callable[[Source], Features]) -> list[Proposal]:
        """What is measured next: one head, or several that are trained together."""
        if not self._ready:
            first = self._ask(features)
            if self._most_together(first, features(first.source)) == 1:
                return [first]
            if first.fixed:
                self._ready = self._grouped([first, *(self._ask(features) for _ in range(self._enqueued))], features)
            else:
                self._ready = [[first, *self._siblings(first, features(first.source))]]
        return self._ready.pop(0)

    def measure(
        self, group: Sequence[Proposal], features: Features, should_stop: Callable[[], bool] = lambda: False
    ) -> list[Measured]:
        """Train the heads of some proposals; may be called from several threads at once, unlike all else here."""
        began, steps = time.monotonic(), [list[tuple[int, float]]() for _ in group]

        def report(place: int, share: float, accuracy: float, loss: float) -> bool:
            proposal, known = group[place], steps[place]
            rung, score = self.step(proposal, share, accuracy, loss)
            if rung not in dict(known):  # a short training is looked at more often
                proposal.trial.report(score, rung)
                known.append((rung, score))
            return not proposal.fixed and proposal.trial.should_prune()

        configs = [proposal.config for proposal in group]
        outcomes = fit_heads(configs, material_of(features, configs[0], self.masks), report, should_stop)
        seconds = (time.monotonic() - began) / len(group)
        return [Measured(outcome, tuple(told), seconds) for outcome, told in zip(outcomes, steps, strict=True)]

    def step(self, proposal: Proposal, share: float, accuracy: float, loss: float) -> tuple[int, float]:
        """Rung and score of a training that is so far done."""
        return max(1, round(share * RUNGS)), self.score(accuracy, loss, proposal.source.cost)

    def floors(self) -> dict[int, float]:
        """The scores below which a training that cannot be asked about on its way ends at a rung: the best third."""
        found: dict[int, float] = {}
        for rung in _HALVING:
            reached = [dict(trial.steps)[rung] for trial in self.trials if rung in dict(trial.steps)]
            if len(reached) >= _REDUCTION:
                found[rung] = sorted(reached, reverse=True)[len(reached) // _REDUCTION]
        return found

    def withdraw(self, group: Sequence[Proposal]) -> None:
        """They were stopped, and leave no trace."""
        for proposal in group:
            self.study.tell(proposal.trial, state=TrialState.FAIL)

    def record(self, group: Sequence[Proposal], found: Sequence[Measured]) -> None:
        """Learn from what some proposals have come to."""
        for proposal, measured in zip(group, found, strict=True):
            outcome, pruned = measured.outcome, measured.outcome.ended_early
            score = self.score(outcome.accuracy, outcome.loss, proposal.source.cost)
            state = TrialState.PRUNED if pruned else TrialState.COMPLETE
            self.study.tell(proposal.trial, None if pruned else score, state)
            if not pruned:
                self._paces.append(measured.seconds / proposal.expected)
            what = {"params": dict(proposal.trial.params), "steps": measured.steps, "fixed": proposal.fixed}
            self._add(outcome, score, measured.seconds, whole=not pruned, **what)

    def add_training(
        self, title: str, config: TrainingConfig, outcome: Outcome, seconds: float, *, whole: bool
    ) -> None:
        """Add a trial that is a whole training, which had its time or was ended early."""
        values = config.to_file()
        trial = Trial(0, {}, COMPLETE, 0, 0, 0, (), 0, 0, config=values)
        score = self.score(outcome.accuracy, outcome.loss, trial.source.cost)
        self._add(outcome, score, seconds, title=title, config=values, whole=whole)

    def _add(self, outcome: Outcome, score: float, seconds: float, *, whole: bool, **what: Any) -> None:
        best = max((one.score for one in self.complete), default=score)
        measured = Trial(
            number=1 + max((one.number for one in self.trials), default=-1),
            state=COMPLETE if whole else PRUNED,
            accuracy=outcome.accuracy,
            loss=outcome.loss,
            score=score,
            seconds=seconds,
            elapsed=self.elapsed(),
            right=np.packbits(outcome.right).tobytes().hex() if whole else "",
            **{"params": {}, "steps": (), **what},
        )
        if whole and score >= best - NEAR:
            self.answers.put(measured.number, outcome.probabilities)
        self.trials.append(measured)
        self.done(measured)

    def candidates(self) -> list[Candidate]:
        """Trials of which an ensemble can be made, the best first."""
        images = int(np.count_nonzero(self.masks.any(axis=0)))
        return candidates(self.complete, self.answers, (images, int(self.labels.max()) + 1))

    def ensemble(self, winner: Trial) -> list[int]:
        """Numbers of the trials that answer best together with the winner, which comes first; it alone if none."""
        found = self.candidates()
        first = next((one for one in found if one.number == winner.number), None)
        if first is None:
            return [winner.number]
        return [one.number for one in select(first, found, self._asked, self.score)]

    def together(self, members: Sequence[Trial]) -> Array:
        """What some trials whose answers are known say together about the held-out images ``(m, classes)``."""
        numbers = {trial.number for trial in members}
        return mean_of([one for one in self.candidates() if one.number in numbers])

    def groups(self) -> dict[frozenset[int], npt.NDArray[np.bool_]]:
        """Of every ensemble that could be chosen, whether each held-out image is answered rightly."""
        found = list(possible(self.candidates()))
        rightly = rightly_together(found, self._asked)
        return {frozenset(one.number for one in group): right for group, right in zip(found, rightly, strict=True)}

    @property
    def _asked(self) -> Labels:
        """Classes of the held-out images."""
        return self.labels[self.masks.any(axis=0)]

    def remeasure(self, trial: Trial, features: Features) -> float:
        """The score of a choice with other folds and other first weights."""
        seed = self.seed + 1000
        config = configure(trial.params, seed)
        outcome = fit_head(config, material_of(features, config, folds_of(features, seed)))
        return self.score(outcome.accuracy, outcome.loss, trial.source.cost)

    def on_validation(self, params: Params, features: Features, *, keep_weights: bool = False) -> Outcome:
        """Measure a choice as its run will be: trained on the training images, asked about the validation images."""
        config = configure(params, self.seed)
        material = material_of(features, config, features.validation[None])
        return fit_head(config, material, keep_weights=keep_weights)

    def importances(self) -> dict[str, float]:
        """How much each setting mattered, adding up to 1; empty while there is too little to say so."""
        complete = [trial for trial in self.complete if trial.config is None]
        if len(complete) < _STARTUP or len({trial.score for trial in complete}) < 2:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        return {name: float(share) for name, share in found.items()}

    def _ask(self, features: Callable[[Source], Features]) -> Proposal:
        """A proposal that does not take too long; after several that do, one without a hidden layer."""
        for _ in range(_REFUSED):
            proposal = self._ask_any(features)
            if proposal.fixed or self._pace * proposal.expected <= LONGEST * self.seconds:
                return proposal
            self.withdraw([proposal])
        with self._fixing({"units": 0}):
            return self._ask_any(features)

    def _ask_any(self, features: Callable[[Source], Features]) -> Proposal:
        trial = self.study.ask(self._distributions)
        source, config = source_of(trial.params), configure(trial.params, self.seed)
        expected = _seconds_of(config, self.masks.shape, features(source))
        return Proposal(trial, config, source, bool(trial.user_attrs.get("fixed")), expected)

    @property
    def _pace(self) -> float:
        """Seconds of trials, by what was expected of them."""
        return statistics.median(self._paces or [1.0])

    def _expected(self, params: Params, features: Features) -> float:
        """Seconds that a choice will take."""
        return self._pace * _seconds_of(configure(params, self.seed), self.masks.shape, features)

    def _siblings(self, first: Proposal, features: Features) -> Iterator[Proposal]:
        """Choices that differ from one only in what heads that are trained together may differ in."""
        with self._fixing({name: value for name, value in first.trial.params.items() if name not in TOGETHER}):
            for _ in range(self._most_together(first, features) - 1):
                yield self._ask_any(lambda _: features)

    @contextlib.contextmanager
    def _fixing(self, params: Params) -> Iterator[None]:
        """Have the sampler propose these values, and choose the others."""
        whole, self.study.sampler = self.study.sampler, PartialFixedSampler(dict(params), self.study.sampler)
        try:
            yield
        finally:
            self.study.sampler = whole

    def _grouped(self, proposals: Sequence[Proposal], features: Callable[[Source], Features]) -> list[list[Proposal]]:
        """Those that can be trained together beside each other, in their order."""
        groups: list[list[Proposal]] = []
        for proposal in proposals:
            most = self._most_together(proposal, features(proposal.source))
            alike = [one for one in groups if together(one[0].config) == together(proposal.config)]
            if alike and len(alike[-1]) < most:
                alike[-1].append(proposal)
            else:
                groups.append([proposal])
        return groups

    def _most_together(self, proposal: Proposal, features: Features) -> int:
        """With a hidden layer nearly all the work is of each head alone; very large matrices leave the cache."""
        head = proposal.config.head
        values = len(self.masks) * features.count(head) * features.classes
        return 1 if head.dense_units else max(1, min(_TOGETHER, _VALUES // values))

    def score(self, accuracy: float, loss: float, cost: float) -> float:
        """What decides; the cost is in units of that of *Quick start*."""
        paid = COST_WEIGHT * float(np.log2(cost)) if self.small else 0.0
        return accuracy - self.loss_weight * min(loss, 5.0) - paid

    @property
    def loss_weight(self) -> float:
        """Of the loss in the score. The fewer images, the less the accuracy tells heads apart that are nearly equal.

        On 100 images it comes in steps of a point with a standard error of three, while the loss uses how sure every
        answer is; of many images the accuracy itself decides.
        """
        return LOSS_WEIGHT * min(1.0, LOSS_IMAGES / len(self._asked))

    def _as_known(self, trial: Trial) -> optuna.trial.FrozenTrial:
        complete = trial.state == COMPLETE
        rungs = {} if trial.fixed else _rungs(trial.steps)
        return optuna.trial.create_trial(
            state=TrialState.COMPLETE if complete else TrialState.PRUNED,
            params=trial.params,
            distributions=self._distributions,
            value=trial.score if complete else None,
            intermediate_values=dict(reversed(trial.steps)),  # the first of each counts
            system_attrs={f"completed_rung_{number}": score for number, score in rungs.items()},  # of the pruner
        )


def _rungs(steps: Sequence[tuple[int, float]]) -> dict[int, float]:
    """The score with which a training came to each rung at which it was decided whether it goes on."""
    reached = {number: [score for step, score in steps if step >= at] for number, at in enumerate(_HALVING)}
    return {number: scores[0] for number, scores in reached.items() if scores}


def _distribution(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    if dimension.choices:
        return optuna.distributions.CategoricalDistribution(dimension.choices)
    return optuna.distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _seconds_of(config: TrainingConfig, masks: tuple[int, ...], features: Features) -> float:
    """How long a head takes, about: reading and dropout, products of matrices, and the updates of the optimizer."""
    (folds, images), inputs = masks, features.count(config.head)
    parameters = folds * inputs * (sum(config.head.dense_units) or features.classes)
    read = inputs * images * (_READ + (_DROP if config.head.dropout and not config.head.dense_units else 0))
    learned = parameters * (images * _MULTIPLY + images / config.batch_size * _UPDATE)
    return float(config.epochs * (read + learned))
