"""Augmented training of a frozen backbone: a few kept views per image against fresh ones end to end in Keras."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.results import Result, ratios
from benchmarks.session import Measured, Session
from benchmarks.synthetic import Kind, make_dataset
from benchmarks.training import estimate_of, train_with_engine
from tl_core.config import AUGMENTATION_LEVELS, TrainingConfig
from tl_core.data import Dataset, import_sample, load_dataset
from tl_core.data.dataset import write_manifest
from tl_core.storage.workspace import Workspace, new_id

LEVEL: Final = "medium"  # of augmentation
FIT_EPOCHS: Final = 2  # of the end-to-end fit that are measured for its speed
TRAIN_DIGITS: Final = 240  # images for the comparison of accuracies ...
CHECK_DIGITS: Final = 400  # ... of which one is a quarter of a point


def run(session: Session) -> Iterator[Result]:
    """Measure the rows."""
    size, epochs = session.pick(224, 32), session.pick(30, 2)
    config = TrainingConfig(
        epochs=epochs, image_size=size, augmentation=AUGMENTATION_LEVELS[LEVEL], augmentation_mode="cached_views",
        views=session.pick(8, 2),
    )  # fmt: skip
    yield _speed(session, config)
    yield _accuracy(session, config)


def _speed(session: Session, config: TrainingConfig) -> Result:
    dataset = make_dataset(session.store, Kind(images=session.pick(400, 40)))
    ours, theirs = [], []
    for _ in session.rounds():
        workspace, plain = session.workspace(), config.to_dict()
        room = {"dataset": dataset.path, "workspace": workspace.root, "calibrated": not session.quick}
        ours.append(session.measure(train_with_engine, **room, config=plain))
        theirs.append(session.measure(fit_augmented, dataset=dataset.path, config=plain, measured=FIT_EPOCHS))
    mine, hand = (tuple(float(one["seconds"]) for one in runs) for runs in (ours, theirs))
    return Result(
        name="cached_views",
        program=session.program,
        title=f"augmented, {config.epochs} epochs, frozen EfficientNet-Lite0, {config.views} cached views",
        against="end-to-end augmented fit",
        target=8,
        unit="x",
        values=ratios(hand, mine),
        ours=mine,
        theirs=hand,
        note=(
            f"{len(dataset.images)} images, augmentation “{LEVEL}” on both sides. The end-to-end fit is computed: "
            f"its start and {FIT_EPOCHS} epochs were measured, the second stands for all {config.epochs}. Ours is "
            "measured whole, with empty caches."
        ),
        estimates=(estimate_of("cached views", ours),),
    )


def _accuracy(session: Session, config: TrainingConfig) -> Result:
    """Validation accuracy of the last epoch on digits; the slow side runs once, all its epochs."""
    dataset = _digits(session)
    plain = config.to_dict()
    hand = session.measure(fit_augmented, dataset=dataset.path, config=plain, measured=config.epochs)
    ours = []
    for number in session.rounds():
        seeded = replace(config, seed=config.seed + number).to_dict()
        room = session.workspace().root
        ours.append(session.measure(train_with_engine, dataset=dataset.path, workspace=room, config=seeded))
    mine = tuple(100 * float(one["last_val_accuracy"]) for one in ours)
    theirs = 100 * float(hand["val_accuracy"])
    return Result(
        name="cached_views_accuracy",
        program=session.program,
        title=f"the same: validation accuracy on {len(dataset.of_split('validation'))} digits, points lost",
        against="end-to-end augmented fit",
        target=1,
        unit="points",
        at_least=False,
        values=tuple(theirs - one for one in mine),
        ours=mine,
        theirs=(theirs,),
        measured_in="%",
        note=(
            f"{len(dataset.of_split('train'))} training images, accuracy after the last epoch. The end-to-end fit "
            "ran once with all its epochs, ours with another seed in each round; a negative figure is a gain."
        ),
    )


def _digits(session: Session) -> Dataset:
    """Some of the digits, divided anew."""
    train, check = session.pick(TRAIN_DIGITS, 20), session.pick(CHECK_DIGITS, 20)
    whole = import_sample(Workspace(session.folder / new_id("digits")).ensure(), "digits")
    pictures = sorted(whole.images, key=lambda image: image.pixels_sha256)[: train + check]
    records = tuple(
        replace(image, split="train" if index < train else "validation") for index, image in enumerate(pictures)
    )
    write_manifest(replace(whole, images=records, given_splits=True))
    return load_dataset(whole.path)


def fit_augmented(dataset: str, config: dict[str, Any], measured: int) -> Measured:
    """``model.fit`` on freshly augmented images; epochs beyond ``measured`` are computed from the second."""
    import tensorflow as tf

    import benchmarks.keras_by_hand as hand
    from tl_core.models.augmentation import build_augmentation

    settings, data = TrainingConfig.from_dict(config), load_dataset(Path(dataset))
    size = settings.image_size or 224
    began, clock = time.perf_counter(), hand.EpochClock()
    augment = build_augmentation(settings.augmentation, settings.seed)
    batches = hand.images_of(data, "train", size).shuffle(1000).batch(hand.BATCH)
    train = batches.map(lambda x, y: (augment(tf.cast(x, tf.float32)), y), tf.data.AUTOTUNE)
    check = hand.for_checking(hand.images_of(data, "validation", size))
    model = hand.build_model(hand.build_features("efficientnet_lite0", size, "imagenet"), len(data.classes), 1e-3)
    history = model.fit(
        train.prefetch(tf.data.AUTOTUNE), validation_data=check, epochs=measured, callbacks=[clock.callback],
        verbose=0,
    )  # fmt: skip
    seconds = clock.ends[-1] - began + (settings.epochs - measured) * clock.steady
    return {"seconds": seconds, "val_accuracy": history.history["val_accuracy"][-1]}
