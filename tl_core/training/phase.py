"""The epochs of one phase: learn, check, keep the best, end early, slow down."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.config import TrainingConfig
from tl_core.errors import DivergedError, OutOfMemoryError
from tl_core.runs import Best
from tl_core.training.callbacks.event_log import Reporter
from tl_core.training.epoch_runner import EpochRunner, NotFinite
from tl_core.training.loops import Subset

Array = npt.NDArray[Any]

PLATEAU_FACTOR: Final = 0.3  # the rate is multiplied by this ...
PLATEAU_PATIENCE: Final = 3  # ... after so many epochs without a better val_loss
MIN_LEARNING_RATE: Final = 1e-7


@dataclass(slots=True)
class TrainerState:
    """What a phase has to know to go on after an interruption."""

    phase: str  # head or fine_tune
    next_epoch: int  # counted from 1 over both phases
    batch_size: int
    best: Best | None = None  # over both phases
    phase_best: float = math.inf  # val_loss of this phase, for early stopping
    waited: int = 0  # epochs since `phase_best`
    flat: int = 0  # epochs since `phase_best` or the last change of the rate
    weights: list[Array] = field(default_factory=list)  # of `best`: all variables of the trained part


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """What a phase is to do."""

    validation: Subset
    last_epoch: int  # counted from 1 over both phases
    examples: Callable[[int], Subset]  # the training examples of an epoch (of cached views each draws its own)


class Keeper(Protocol):
    """Keeps what must survive the process."""

    def improved(self, state: TrainerState) -> None:
        """The model is now the best so far."""

    def epoch_told(self, epoch: int, val_accuracy: float) -> None:
        """The figures of this epoch are told, and its weights are in place."""

    def epoch_ended(self, state: TrainerState, *, last: bool) -> None:
        """The state could be saved now, and should be if it is the last of the phase."""


def run_phase(
    config: TrainingConfig,
    plan: PhasePlan,
    state: TrainerState,
    fitter: EpochRunner,
    snapshot: Callable[[], list[Array]],
    reporter: Reporter,
    keeper: Keeper,
) -> None:
    """Train until the last epoch, or until patience runs out; ``state`` then holds the best.

    Raises:
        Interrupted: the person asked to stop.
        DivergedError: the loss was not finite.
        OutOfMemoryError: not even half a batch fits into memory.
    """
    first = state.next_epoch
    while state.next_epoch <= plan.last_epoch:
        began, rate = time.monotonic(), _rate(fitter)
        trained = _train(config, plan, state, fitter, reporter)
        if state.next_epoch == first:
            reporter.slow_step()  # the graph that checks is traced
        checked = fitter.evaluate(plan.validation)
        if not math.isfinite(checked.loss):
            raise _diverged(config, state)
        better = state.best is None or checked.loss < state.best.val_loss
        if better:
            state.best = Best(
                epoch=state.next_epoch, phase=state.phase, val_loss=checked.loss, val_accuracy=checked.accuracy
            )
            state.weights = snapshot()
        reporter.epoch(
            state.next_epoch, plan.last_epoch, trained, checked,
            rate=rate, seconds=time.monotonic() - began, best=better,
        )  # fmt: skip
        keeper.epoch_told(state.next_epoch, checked.accuracy)
        _count(state, checked.loss)
        state.next_epoch += 1
        ends_early = config.early_stopping_patience is not None and state.waited >= config.early_stopping_patience
        if ends_early:
            reporter.note(f"No better validation loss for {state.waited} epochs, so this phase ends early.")
        elif config.schedule == "plateau":
            _slow_down(state, fitter, reporter)
        keeper.epoch_ended(state, last=ends_early or state.next_epoch > plan.last_epoch)
        if better:
            keeper.improved(state)
        if ends_early:
            return


def _train(
    config: TrainingConfig, plan: PhasePlan, state: TrainerState, fitter: EpochRunner, reporter: Reporter
) -> Any:
    """One epoch of learning; if it does not fit into memory, once more with half the batch."""
    examples = plan.examples(state.next_epoch)
    order = np.random.default_rng([config.seed, state.next_epoch]).permutation(len(examples))
    receive = reporter.batches(state.next_epoch)
    try:
        try:
            return fitter.train_epoch(examples, order, state.batch_size, receive)
        except (tf.errors.ResourceExhaustedError, MemoryError):
            if state.batch_size == 1 or state.batch_size < config.batch_size:
                raise
            state.batch_size //= 2
            reporter.note(f"A batch did not fit into memory; going on with {state.batch_size} images per batch.")
            return fitter.train_epoch(examples, order, state.batch_size, receive)
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise OutOfMemoryError(
            f"Even {state.batch_size} images at a time do not fit into memory: choose a smaller batch size, a "
            "smaller image size, a smaller backbone, or freeze more layers."
        ) from error
    except NotFinite as error:
        raise _diverged(config, state) from error


def _diverged(config: TrainingConfig, state: TrainerState) -> DivergedError:
    head = state.phase == "head"
    rate = config.learning_rate if head else config.fine_tune_learning_rate
    name = "learning rate" if head else "fine-tuning learning rate"
    kept = f" The model of epoch {state.best.epoch} was kept." if state.best else ""
    return DivergedError(
        f"The loss became infinite in epoch {state.next_epoch}, so the training was ended: try a lower {name}, for "
        f"instance {rate / 10:g} in place of {rate:g}.{kept}"
    )


def _count(state: TrainerState, loss: float) -> None:
    if loss < state.phase_best:
        state.phase_best, state.waited, state.flat = loss, 0, 0
    else:
        state.waited, state.flat = state.waited + 1, state.flat + 1


def _slow_down(state: TrainerState, fitter: EpochRunner, reporter: Reporter) -> None:
    rate = _rate(fitter)
    if state.flat < PLATEAU_PATIENCE or rate <= MIN_LEARNING_RATE:
        return
    lower = max(MIN_LEARNING_RATE, rate * PLATEAU_FACTOR)
    fitter.optimizer.learning_rate = lower
    state.flat = 0
    reporter.note(f"No better validation loss for {PLATEAU_PATIENCE} epochs; the learning rate is now {lower:g}.")


def _rate(fitter: EpochRunner) -> float:
    return float(tf.convert_to_tensor(fitter.optimizer.learning_rate))
