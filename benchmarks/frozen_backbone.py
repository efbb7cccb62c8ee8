"""A frozen backbone, 2,000 images, 20 epochs: against Keras end to end, against features computed once, and again.

The three contenders and the second run take turns in the same rounds, so their rows are measured side by side.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.results import Result, ratios
from benchmarks.session import Measured, Session
from benchmarks.synthetic import Kind, make_dataset
from benchmarks.training import estimate_of, train_with_engine
from tl_core.config import TrainingConfig
from tl_core.data import load_dataset

OTHER_RATE: Final = 3e-3  # of the second run
FIT_EPOCHS: Final = 2  # of the end-to-end fit that are measured


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work, for all contenders."""

    images: int
    fit_images: int  # of the end-to-end fit that are measured
    epochs: int
    image_size: int | None


FULL: Final = Sizes(images=2000, fit_images=400, epochs=20, image_size=None)
QUICK: Final = Sizes(images=40, fit_images=20, epochs=2, image_size=32)


def run(session: Session) -> Iterator[Result]:
    """Measure the rows."""
    sizes = session.pick(FULL, QUICK)
    dataset = make_dataset(session.store, Kind(images=sizes.images))
    config = TrainingConfig(epochs=sizes.epochs, image_size=sizes.image_size)
    side = sizes.image_size or 224
    ours, again, fits, once = [], [], [], []
    for _ in session.rounds():
        workspace = session.workspace()
        room = {"dataset": dataset.path, "workspace": workspace.root, "calibrated": not session.quick}
        ours.append(session.measure(train_with_engine, **room, config=config.to_dict()))
        other = replace(config, learning_rate=OTHER_RATE)
        again.append(session.measure(train_with_engine, **room, config=other.to_dict()))
        hand = {"dataset": dataset.path, "size": side, "epochs": sizes.epochs}
        fits.append(session.measure(fit_end_to_end, **hand, images=sizes.fit_images))
        once.append(session.measure(predict_once_then_fit, **hand))
    yield from _rows(session, sizes, {"ours": ours, "again": again, "fits": fits, "once": once})


def _rows(session: Session, sizes: Sizes, measured: dict[str, list[Measured]]) -> Iterator[Result]:
    what = f"frozen backbone, {sizes.images:,} images, {sizes.epochs} epochs, from imported images to a trained model"
    seconds = {name: tuple(float(one["seconds"]) for one in runs) for name, runs in measured.items()}
    first = Result(
        name="frozen_end_to_end",
        program=session.program,
        title=f"{what} (EfficientNet-Lite0)",
        against="model.fit of the frozen model end to end",
        target=30,
        unit="x",
        values=ratios(seconds["fits"], seconds["ours"]),
        ours=seconds["ours"],
        theirs=seconds["fits"],
        note=(
            "80 % training and 20 % validation images. The end-to-end fit is computed: measured were its start and "
            f"{FIT_EPOCHS} epochs on {sizes.fit_images} images; the second epoch's time per image x {sizes.images:,} "
            f"images x {sizes.epochs} epochs is added to the start and the saving. Ours is measured whole, with "
            "empty caches."
        ),
        estimates=(estimate_of("frozen backbone, first run", measured["ours"]),),
    )
    yield first
    yield replace(
        first,
        name="frozen_predict_once",
        against="backbone.predict once, then fit of the head",
        target=2.5,
        values=ratios(seconds["once"], seconds["ours"]),
        theirs=seconds["once"],
        note="Both measured whole, from image files to a saved model; ours with empty caches.",
        estimates=(),
    )
    yield replace(
        first,
        name="frozen_second_run",
        title="the same, second run with another learning rate",
        against="its first run",
        target=10,
        values=ratios(seconds["ours"], seconds["again"]),
        ours=seconds["again"],
        theirs=seconds["ours"],
        note="The second run is in a fresh process; it finds what the first one kept on the disk.",
        estimates=(estimate_of("frozen backbone, second run", measured["again"]),),
    )
    yield Result(
        name="frozen_first_epoch",
        program=session.program,
        title="the same, second run: from Start to the first epoch event, TensorFlow loaded",
        against="",
        target=1.5,
        unit="s",
        at_least=False,
        values=tuple(float(one["first_epoch"]) for one in measured["again"]),
        note="TensorFlow, Keras and OpenVINO are imported before the clock starts.",
    )


def fit_end_to_end(dataset: str, size: int, epochs: int, images: int) -> Measured:
    """Two epochs of ``model.fit`` on the first images, and what ``epochs`` on all images take at that speed."""
    import benchmarks.keras_by_hand as hand

    data = load_dataset(Path(dataset))
    share = images / len(data.images)
    began, clock = time.perf_counter(), hand.EpochClock()
    train, check = (
        hand.images_of(data, split, size, max(1, round(share * len(data.of_split(split)))))
        for split in ("train", "validation")
    )
    model = hand.build_model(hand.build_features("efficientnet_lite0", size, "imagenet"), len(data.classes), 1e-3)
    model.fit(
        hand.for_training(train), validation_data=hand.for_checking(check), epochs=FIT_EPOCHS,
        callbacks=[clock.callback], verbose=0,
    )  # fmt: skip
    saving = _save(model)
    seen = len(train) + len(check)
    start = max(0.0, clock.ends[0] - began - clock.steady)
    seconds = start + epochs * clock.steady * len(data.images) / seen + saving
    return {"seconds": seconds, "start": start, "epoch": clock.steady, "images": seen, "saving": saving}


def predict_once_then_fit(dataset: str, size: int, epochs: int) -> Measured:
    """The frozen backbone once over all images, then ``fit`` of the head on its features."""
    import benchmarks.keras_by_hand as hand

    data = load_dataset(Path(dataset))
    began = time.perf_counter()
    features = hand.build_features("efficientnet_lite0", size, "imagenet")
    x_train, y_train = _features(hand.images_of(data, "train", size), features)
    x_check, y_check = _features(hand.images_of(data, "validation", size), features)
    head = hand.build_head(features, len(data.classes), 1e-3)
    head.fit(
        x_train, y_train, validation_data=(x_check, y_check), epochs=epochs, batch_size=hand.BATCH, verbose=0
    )  # fmt: skip
    import keras

    model = keras.Sequential([features, *head.layers])
    _save(model)
    return {"seconds": time.perf_counter() - began}


def _features(images: Any, features: Any) -> tuple[Any, Any]:
    import numpy as np

    import benchmarks.keras_by_hand as hand

    found = features.predict(hand.for_checking(images.map(lambda image, _: image)), verbose=0)
    return found, np.array([label for _, label in images.as_numpy_iterator()])


def _save(model: Any) -> float:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
    return time.perf_counter() - began
