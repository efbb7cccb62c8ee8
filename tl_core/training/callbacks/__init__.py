"""What happens around the epochs of a training, one callback per file, with the hooks of Keras' callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from tl_core.training.epoch_runner import Batches
    from tl_core.training.trainer import EpochLogs, Trainer


class Callback:
    """The hooks that `tl_core.training.trainer.Trainer` calls; a callback overrides those it needs.

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
