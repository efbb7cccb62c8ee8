"""The training loop: ``Trainer.fit(phase, data)`` trains one phase, epoch by epoch, and calls its callbacks.

The hooks of a `Callback` are those of Keras; the callbacks themselves are in `tl_core.training.callbacks`.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.config.phases import RATE_TITLES, Phase
from tl_core.errors import DivergedError
from tl_core.models.optimizers import build_optimizer
from tl_core.runs import Best
from tl_core.training.epoch_runner import Batches, EpochRunner, NotFinite, Result
from tl_core.training.inputs import PhaseData, Subset
from tl_core.training.losses import Loss
from tl_core.training.saving import restore

Array = npt.NDArray[Any]
States = dict[str, dict[str, Any]]
"""What the callbacks keep, by their name."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a training takes its steps, in every phase."""

    batch_size: int
    optimizer: str  # adam, adamw, rmsprop or sgd
    weight_decay: float
    schedule: str  # of the learning rate within a phase: constant, cosine or plateau
    seed: int  # of the order of the images


@dataclass(frozen=True, slots=True)
class EpochLogs:
    """What one epoch gave."""

    train: Result
    validation: Result
    learning_rate: float  # at its start
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The end of an epoch, from which a training can go on."""

    phase: str
    first_epoch: int  # of the phase
    epoch: int  # that is complete, counted from 1 over all phases
    batch_size: int
    callbacks: States
    variables: list[Array]  # of the trained part
    optimizer: list[Array]

    def with_new_patience(self) -> Checkpoint:
        """The same, with as much patience as at the beginning: for epochs that were not planned before."""
        states = {name: {**state, "wait": 0} if "wait" in state else state for name, state in self.callbacks.items()}
        return replace(self, callbacks=states)


class Callback:
    """The hooks that a `Trainer` calls; a callback overrides those it needs.

    They are called in their order, so that each finds done what those before it do; at the end of the training in the
    reverse one. Epochs are counted from 1 over all phases.
    """

    name: ClassVar[str] = ""  # key of its state in a checkpoint; "" = it has none

    def on_phase_begin(self, trainer: Trainer) -> None:
        """A phase begins, or goes on after an interruption (``trainer.resumed``); its weights are in place."""

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """An epoch begins."""

    def on_train_batch_end(self, trainer: Trainer, batches: Batches) -> None:
        """A training batch is complete."""

    def on_test_begin(self, trainer: Trainer) -> None:
        """The validation of an epoch begins."""

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        """An epoch is complete; its weights are in place."""

    def on_phase_end(self, trainer: Trainer) -> None:
        """A phase has ended, also by an error or a stop."""

    def on_train_end(self, trainer: Trainer) -> None:
        """The training has ended, however; the weights of its best epoch are in place."""

    def on_note(self, trainer: Trainer, text: str) -> None:
        """A decision that the person should know."""

    def state_dict(self) -> dict[str, Any]:
        """What it needs to go on after an interruption: plain JSON values, and lists of arrays."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; called before `on_phase_begin`.

        Raises:
            KeyError: the state is of another form; so may other errors of wrong types.
        """


class Trainer:
    """Owns the trainable weights, the optimizer and the epoch counter; the callbacks do the rest."""

    def __init__(
        self,
        settings: FitSettings,
        loss: Loss,
        callbacks: Sequence[Callback],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.callbacks = tuple(callbacks)
        self.phase: Phase
        self.data: PhaseData
        self.optimizer: keras.Optimizer
        self.epoch = 0  # the last that is complete, counted from 1 over all phases
        self.first_epoch = 1  # of the phase
        self.epochs_run = 0  # of the phase, by this process
        self.batch_size = settings.batch_size  # halved once where a batch does not fit into memory
        self.best: Best | None = None  # over all phases; see `BestModel`
        self.resumed = False  # the phase goes on after an interruption
        self.stop_phase = False  # set by a callback to end the phase after this epoch
        self._settings = settings
        self._loss = loss
        self._should_stop = should_stop
        self._runner: EpochRunner

    @property
    def last_epoch(self) -> int:
        """Of the phase, if it runs to its planned end."""
        return self.first_epoch + self.phase.epochs - 1

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.data.train(self.epoch + 1)) // self.batch_size)

    @property
    def variables(self) -> list[keras.Variable]:
        """All that training can change."""
        return self.data.trained.variables

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return float(tf.convert_to_tensor(self.optimizer.learning_rate))

    def fit(self, phase: Phase, data: PhaseData, checkpoint: Checkpoint | None = None) -> None:
        """Train a phase, or go on from a checkpoint of it; it ends with the weights of the best epoch in place.

        Raises:
            Interrupted: a stop was requested.
            DivergedError: the loss was not finite.
        """
        self.phase, self.data, self.epochs_run = phase, data, 0
        self.first_epoch, self.resumed, self.stop_phase = self.epoch + 1, checkpoint is not None, False
        if checkpoint is not None:
            self._load(checkpoint)
        self._build(checkpoint.optimizer if checkpoint is not None else None)
        self.tell("on_phase_begin")
        try:
            while self.epoch < self.last_epoch and not self.stop_phase:
                self._fit_epoch(self.epoch + 1)
        finally:
            self.tell("on_phase_end")

    def evaluate(self, subset: Subset, should_stop: Callable[[], bool] | None = None) -> Result:
        """The figures of the weights in place on some images of the phase's data.

        Raises:
            Interrupted: a stop was requested.
        """
        return self._runner.evaluate(subset, should_stop=should_stop)

    def end(self) -> None:
        """Tell, in the reverse order, that the training has ended: the model, which is written last, comes first."""
        for callback in reversed(self.callbacks):
            callback.on_train_end(self)

    def note(self, text: str) -> None:
        """Note a decision for the person."""
        self.tell("on_note", text)

    def tell(self, hook: str, *values: Any) -> None:
        """Call a hook of every callback, in their order."""
        for callback in self.callbacks:
            getattr(callback, hook)(self, *values)

    def _fit_epoch(self, epoch: int) -> None:
        began, rate = time.monotonic(), self.learning_rate
        self.tell("on_epoch_begin", epoch)
        trained = self._train(epoch)
        self.tell("on_test_begin")
        checked = self._runner.evaluate(self.data.validation)
        if not math.isfinite(checked.loss):
            raise self._diverged(epoch)
        self.epoch, self.epochs_run = epoch, self.epochs_run + 1
        self.tell("on_epoch_end", epoch, EpochLogs(trained, checked, rate, time.monotonic() - began))

    def _train(self, epoch: int) -> Result:
        """Train on the images of an epoch; if a batch does not fit into memory, once more with half of it."""
        subset = self.data.train(epoch)
        order = np.random.default_rng([self._settings.seed, epoch]).permutation(len(subset))
        report = functools.partial(self.tell, "on_train_batch_end")
        try:
            try:
                return self._runner.train_epoch(subset, order, self.batch_size, report)
            except (tf.errors.ResourceExhaustedError, MemoryError):
                if self.batch_size == 1 or self.batch_size < self._settings.batch_size:
                    raise
            self._halve_batch()
            return self._runner.train_epoch(subset, order, self.batch_size, report)
        except NotFinite as error:
            raise self._diverged(epoch) from error

    def _halve_batch(self) -> None:
        state = [variable.value.numpy() for variable in self.optimizer.variables]
        self.batch_size //= 2
        self.note(f"A batch did not fit into memory; going on with {self.batch_size} images per batch.")
        self._build(state)

    def _build(self, state: Sequence[Any] | None) -> None:
        """A new optimizer whose schedule spans the phase as it is planned now, at the place that it has reached."""
        settings, steps = self._settings, self.steps
        self.optimizer = build_optimizer(
            settings.optimizer,
            self.phase.learning_rate,
            steps * self.phase.epochs,
            schedule=settings.schedule,
            weight_decay=settings.weight_decay,
        )
        self._runner = EpochRunner(self.data.trained, self.optimizer, self._loss, self._should_stop)
        if state is not None:
            restore(self.optimizer.variables, state)
            self.optimizer.iterations.assign(steps * (self.epoch + 1 - self.first_epoch))

    def _load(self, checkpoint: Checkpoint) -> None:
        self.epoch, self.first_epoch = checkpoint.epoch, checkpoint.first_epoch
        self.batch_size = checkpoint.batch_size
        restore(self.variables, checkpoint.variables)
        for callback in self.callbacks:
            if callback.name in checkpoint.callbacks:
                callback.load_state_dict(checkpoint.callbacks[callback.name])

    def _diverged(self, epoch: int) -> DivergedError:
        rate, name = self.phase.learning_rate, RATE_TITLES[self.phase.name]
        kept = f" The model of epoch {self.best.epoch} was kept." if self.best else ""
        return DivergedError(
            f"The loss became infinite in epoch {epoch}, so the training was ended: try a lower {name}, for "
            f"instance {rate / 10:g} in place of {rate:g}.{kept}"
        )
