"""One fine-tuning epoch on kept activations against ``model.fit`` with the same layers frozen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.results import Result, ratios
from benchmarks.session import Measured, Session
from benchmarks.synthetic import Kind, make_dataset
from benchmarks.training import estimate_of, train_with_engine
from tl_core.backbones.outline import load_outline
from tl_core.backbones.registry import get_backbone
from tl_core.config import AUGMENTATION_LEVELS, TrainingConfig
from tl_core.data import load_dataset


@dataclass(frozen=True, slots=True)
class Case:
    """A backbone, what of it is trained, and how much is measured."""

    backbone: str
    block: str  # that learns, in words
    weights: str
    images: int
    batch: int
    epochs: int  # the first is not counted
    target: float


CASES: Final = (
    Case("efficientnet_lite0", "last block", "imagenet", images=240, batch=32, epochs=3, target=4.0),
    Case("vgg16", "block5", "random", images=60, batch=16, epochs=2, target=3.5),
)
VALIDATION: Final = 1 / 3  # share of the images
RATE: Final = 1e-5


def run(session: Session) -> Iterator[Result]:
    """Measure the rows."""
    for case in session.pick(CASES, CASES[:1]):
        size = session.pick(get_backbone(case.backbone).image_size, 32)
        epochs, images = session.pick(case.epochs, 2), session.pick(case.images, 30)
        dataset = make_dataset(session.store, Kind(images=images, validation=VALIDATION))
        frozen = load_outline(case.backbone).presets()["all_but_last_block"]
        config = TrainingConfig(
            backbone=case.backbone, weights=case.weights, image_size=size, frozen_layers=frozen, epochs=1,
            fine_tune_epochs=epochs, fine_tune_learning_rate=RATE, batch_size=case.batch,
        )  # fmt: skip
        ours, theirs = [], []
        for _ in session.rounds():
            workspace = session.workspace()
            ours.append(
                session.measure(
                    train_with_engine,
                    dataset=dataset.path,
                    workspace=workspace.root,
                    config=config.to_dict(),
                    calibrated=not session.quick,
                )
            )
            theirs.append(session.measure(fit_unfrozen, dataset=dataset.path, config=config.to_dict()))
        yield _row(session, case, frozen, ours, theirs)


def _row(session: Session, case: Case, frozen: int, ours: list[Measured], theirs: list[Measured]) -> Result:
    epochs = [one["epochs"]["fine_tune"][1:] for one in ours]
    mine = tuple(sum(seconds) / len(seconds) for seconds in epochs)
    hand = tuple(float(one["epoch"]) for one in theirs)
    title = get_backbone(case.backbone).title
    return Result(
        name=f"fine_tuning_{case.backbone}",
        program=session.program,
        title=f"one fine-tuning epoch, {case.block} of {title}, augmentation off",
        against="end-to-end fit with the same layers frozen",
        target=case.target,
        unit="x",
        values=ratios(hand, mine),
        ours=mine,
        theirs=hand,
        note=(
            f"{ours[0]['images']} images, a third of them for validation, the first {frozen} layers frozen, "
            f"{case.weights} weights. Seconds of an epoch with its validation, after the first epoch; the one pass "
            "of the images through the frozen layers comes before and is not counted."
        ),
        estimates=(estimate_of(f"fine-tuning, {title}", ours),),
    )


def fit_unfrozen(dataset: str, config: dict[str, object], xla: bool | None = None) -> Measured:
    """``model.fit`` with the same layers frozen and the same augmentation; XLA as Keras decides, or as said."""
    import benchmarks.keras_by_hand as hand
    from tl_core.models.augmentation import build_augmentation

    settings, data = TrainingConfig.from_dict(config), load_dataset(Path(dataset))
    size = settings.image_size or get_backbone(settings.backbone).image_size
    features = hand.build_features(settings.backbone, size, settings.weights, settings.frozen_layers)
    model = hand.build_model(features, len(data.classes), RATE, "auto" if xla is None else xla)
    train, check = hand.images_of(data, "train", size), hand.images_of(data, "validation", size)
    clock, began = hand.EpochClock(), time.perf_counter()
    plain = settings.augmentation == AUGMENTATION_LEVELS["none"]
    augment = None if plain else build_augmentation(settings.augmentation, settings.seed)
    model.fit(
        hand.for_training(train, settings.batch_size, augment),
        validation_data=hand.for_checking(check, settings.batch_size),
        epochs=settings.fine_tune_epochs,
        callbacks=[clock.callback],
        verbose=0,
    )
    return {"epoch": clock.steady, "seconds": clock.ends[-1] - began}
