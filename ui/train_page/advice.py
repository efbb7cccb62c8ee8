"""Advice on these settings, each with the change that would follow the advice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tl_core.config import TrainingConfig
from tl_core.config.training import LEARNING_RATE_RANGE
from tl_core.storage.format import scientific

SUGGESTED_FINE_TUNE_EPOCHS: Final = 10
SAFE_RATIO: Final = 4  # the fine-tuning rate should be at least so many times smaller (docs/defaults.md)
FEW_IMAGES_PER_CLASS: Final = 20
# Above these a head on frozen features was never seen to train; most trainings are below.
HIGHEST_RATES: Final[Mapping[str, float]] = {"adam": 0.05, "adamw": 0.05, "rmsprop": 0.05, "sgd": 0.5}
SOUND_RATES: Final[Mapping[str, float]] = {"adam": 2e-3, "adamw": 2e-3, "rmsprop": 1e-3, "sgd": 1e-2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The settings and the dataset that the advice is about."""

    config: TrainingConfig
    layers: int  # of the backbone
    classes: int | None = None  # of the chosen dataset, if one is chosen
    smallest_class: int | None = None  # training images of its smallest class
    largest_class: int | None = None
    shape_tells: bool = False  # whether the shape of the pictures, wide or high, tells the classes apart

    @property
    def unfrozen(self) -> int:
        """How many layers of the backbone are not frozen."""
        frozen = self.config.frozen_layers
        return 0 if frozen is None else max(0, self.layers - frozen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One remark, and the values by path that follow it."""

    text: str
    action: str  # label of the button that follows the advice
    changes: Mapping[str, Any]


def advise(given: Situation) -> tuple[Advice, ...]:
    """All advice on ``given``, most important first."""
    return (*_on_network(given), *_on_rates(given), *_on_data(given))


def _on_network(given: Situation) -> Iterator[Advice]:
    config = given.config
    if given.classes not in (None, 2) and config.head.output == "sigmoid":
        yield Advice(
            text=f"Sigmoid answers between two classes, and this dataset has {given.classes}.",
            action="Use softmax",
            changes={"head.output": "softmax"},
        )
    if given.unfrozen and not config.fine_tune_epochs:
        layers = f"{given.unfrozen} layers are" if given.unfrozen > 1 else "1 layer is"
        yield Advice(
            text=f"{layers} not frozen, but fine-tuning has 0 epochs, so the whole backbone stays as it is.",
            action=f"Fine-tune for {SUGGESTED_FINE_TUNE_EPOCHS} epochs",
            changes={"fine_tune_epochs": SUGGESTED_FINE_TUNE_EPOCHS},
        )
    if not given.unfrozen and config.fine_tune_epochs:
        yield Advice(
            text=f"Fine-tuning has {config.fine_tune_epochs} epochs, but all layers are frozen, "
            "so there is nothing to fine-tune. Freeze fewer layers, or leave fine-tuning out.",
            action="Leave fine-tuning out",
            changes={"fine_tune_epochs": 0},
        )


def _on_rates(given: Situation) -> Iterator[Advice]:
    config = given.config
    if config.learning_rate > HIGHEST_RATES[config.optimizer]:
        rate = SOUND_RATES[config.optimizer]
        yield Advice(
            text=f"A learning rate of {scientific(config.learning_rate)} is far too high for this optimizer: the "
            "first steps would be far too large.",
            action=f"Use {scientific(rate)}",
            changes={"learning_rate": rate},
        )
    fine_tunes = given.unfrozen and config.fine_tune_epochs and config.weights != "random"
    if fine_tunes and config.fine_tune_learning_rate * SAFE_RATIO > config.learning_rate * 1.001:
        rate = max(float(f"{config.learning_rate / SAFE_RATIO:.3g}"), LEARNING_RATE_RANGE[0])
        comparison = compare_rates(config.fine_tune_learning_rate, config.learning_rate)
        yield Advice(
            text=f"The fine-tuning rate is {comparison} the head's. Take it {SAFE_RATIO} to 100 times smaller: "
            "large updates destroy what the backbone has learned.",
            action=f"Use {scientific(rate)}",
            changes={"fine_tune_learning_rate": rate},
        )


def _on_data(given: Situation) -> Iterator[Advice]:
    config, small, large = given.config, given.smallest_class, given.largest_class
    if config.weights == "random" and not (given.unfrozen == given.layers and config.fine_tune_epochs):
        yield Advice(
            text="A backbone with random weights has learned nothing: frozen layers stay random.",
            action="Start from ImageNet",
            changes={"weights": "imagenet"},
        )
    if small and large and large >= 3 * small and not config.class_weights:
        yield Advice(
            text=f"The largest class has {large / small:.0f} times as many images as the smallest, so the model may "
            "neglect the smallest.",
            action="Balance the classes",
            changes={"class_weights": True},
        )
    if given.shape_tells and config.fit == "squeeze":
        yield Advice(
            text="The shape of the pictures tells the classes apart, and squeezed to squares a circle and an ellipse "
            "may look the same, so the model may fail on pictures of another shape.",
            action="Use a border",
            changes={"fit": "border"},
        )
    few = small is not None and small < FEW_IMAGES_PER_CLASS
    if few and not config.augmentation.enabled and not config.head.dropout:
        yield Advice(
            text=f"The smallest class has only {small} training images. Little data over-fits at "
            "once; augmentation and dropout (More options) work against it.",
            action="Dropout 0.3",
            changes={"head.dropout": 0.3},
        )


def compare_rates(rate: float, reference: float) -> str:
    """A fine-tuning rate compared with the head's rate, as text."""
    if rate == reference:
        return "the same as"
    ratio = max(rate, reference) / min(rate, reference)
    times = f"{ratio:.1f}".rstrip("0").rstrip(".") if ratio < 10 else f"{ratio:,.0f}"
    return f"{times} times {'smaller' if rate < reference else 'larger'} than"
