"""The phases of a training: how many there are, what each trains and for how long, and what they are called.

    >>> phases_of(TrainingConfig(epochs=30, frozen_layers=125, fine_tune_epochs=10), layers=141)
    (Phase(name='head', frozen_layers=141, epochs=30, learning_rate=0.002),
     Phase(name='fine_tune', frozen_layers=125, epochs=10, learning_rate=0.0005))

Everything that depends on whether a training fine-tunes, and for how long, uses this module: the trainer, its
schedule, the plan, the settings shown, the generated code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from tl_core.backbones.outline import load_outline
from tl_core.config.training import TrainingConfig
from tl_core.errors import TransferLearningError

# The names of the phases in events, records and checkpoints.
HEAD: Final = "head"
FINE_TUNE: Final = "fine_tune"

PHASE_TITLES: Final[Mapping[str, str]] = {HEAD: "feature extraction", FINE_TUNE: "fine-tuning"}
RATE_TITLES: Final[Mapping[str, str]] = {HEAD: "learning rate", FINE_TUNE: "fine-tuning learning rate"}

_UNKNOWN: Final = 1_000_000  # layers of an unknown backbone: more than can be frozen


@dataclass(frozen=True, slots=True)
class Phase:
    """Epochs with the same layers frozen and one schedule of the learning rate."""

    name: str  # HEAD or FINE_TUNE
    frozen_layers: int  # of the backbone, from its first on; the others are trained with the head
    epochs: int  # at most: early stopping may end it before
    learning_rate: float  # at its start


def phases_of(config: TrainingConfig, layers: int | None = None) -> tuple[Phase, ...]:
    """The phases of a training in their order: one, or two where there are layers and epochs to fine-tune.

    The backbone has so many layers; None = as its outline has them.
    """
    if layers is None:
        layers = layers_of(config.backbone) or _UNKNOWN
    frozen = layers if config.frozen_layers is None else config.frozen_layers
    head = Phase(HEAD, layers, config.epochs, config.learning_rate)
    if not config.fine_tune_epochs or frozen >= layers:
        return (head,)
    return head, Phase(FINE_TUNE, frozen, config.fine_tune_epochs, config.fine_tune_learning_rate)


def fine_tunes(config: TrainingConfig, layers: int | None = None) -> bool:
    """Whether there is a second phase, in which layers of the backbone are trained too; arguments as `phases_of`."""
    return len(phases_of(config, layers)) > 1


def extended(config: TrainingConfig, trained: Mapping[str, int], epochs: int) -> TrainingConfig:
    """The plan of a run that goes on for more epochs of the phase in which it ended, and then ends.

    ``trained`` has the epochs that each phase has had, by its name.

    Raises:
        ConfigError: that would be more than a phase may have.
    """
    head, tuned = trained.get(HEAD, 0), trained.get(FINE_TUNE, 0)
    if tuned:
        return replace(config, epochs=head or config.epochs, fine_tune_epochs=tuned + epochs)
    return replace(config, epochs=head + epochs, fine_tune_epochs=0)


def layers_of(backbone: str) -> int | None:
    """How many layers a backbone has; None if this version does not know it: a run of another can still be shown."""
    try:
        return len(load_outline(backbone).layers)
    except (TransferLearningError, FileNotFoundError):
        return None
