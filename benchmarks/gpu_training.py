"""Whole trainings on an NVIDIA GPU: all layers trained, features of a frozen network, *Quick start* when warm."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.fine_tuning import fit_unfrozen
from benchmarks.in_float16 import in_float16
from benchmarks.results import Result, ratios
from benchmarks.session import BenchmarkError, Measured, Session
from benchmarks.synthetic import Kind, make_dataset, share_dataset
from benchmarks.training import train_with_engine
from tl_core.backbones.registry import get_backbone
from tl_core.config import AUGMENTATION_LEVELS, TrainingConfig
from tl_core.data import load_dataset
from tl_core.storage.workspace import Workspace

IMAGES: Final = 2_000
VALIDATION: Final = 0.2  # share of them
EPOCHS: Final = 4  # in which all layers are trained
QUICK_START_IMAGES: Final = 336
QUICK_START_SECONDS: Final = 600  # after which it is given up
LOOK_EVERY: Final = 0.02  # seconds


@dataclass(frozen=True, slots=True)
class Whole:
    """A training of all layers of a backbone, and what it is to reach."""

    backbone: str
    augmentation: str
    rate: float  # images/s after the first epoch
    by_hand: tuple[str, str, float]  # what is held against Keras by hand: name of the row, what, and the ratio


WHOLE: Final = (
    Whole("resnet50", "none", 2_000, ("gpu_whole_resnet50", "the whole training, start to end", 3)),
    Whole("efficientnet_lite0", "light", 2_000, ("gpu_epoch_efficientnet_lite0", "an epoch after the first", 3)),
)


def whole_rows(session: Session) -> Iterator[Result]:
    """All layers trained: images a second after the first epoch, and against Keras by hand, its best of two."""
    for case in session.pick(WHOLE, WHOLE[1:]):
        size = session.pick(get_backbone(case.backbone).image_size, 32)
        dataset = make_dataset(session.store, Kind(images=session.pick(IMAGES, 30), validation=VALIDATION))
        config = TrainingConfig(
            backbone=case.backbone, weights="random", image_size=size, frozen_layers=0, epochs=1,
            fine_tune_epochs=session.pick(EPOCHS, 2), augmentation=AUGMENTATION_LEVELS[case.augmentation],
        )  # fmt: skip
        ours, theirs = [], []
        for _ in session.rounds():
            room = {"dataset": dataset.path, "workspace": session.workspace().root}
            ours.append(session.measure(train_with_engine, **room, config=config.to_dict()))
            theirs.append([
                session.measure(fit_whole, dataset=dataset.path, config=config.to_dict(), xla=xla)
                for xla in (False, True)
            ])  # fmt: skip
        yield from _whole_rows(session, case, len(dataset.images), ours, theirs)


def _whole_rows(
    session: Session, case: Whole, images: int, ours: list[Measured], theirs: list[list[Measured]]
) -> Iterator[Result]:
    title = f"on a GPU: all layers of {get_backbone(case.backbone).title}, augmentation “{case.augmentation}”"
    epochs = [one["epochs"]["fine_tune"][1:] for one in ours]
    mine = tuple(sum(seconds) / len(seconds) for seconds in epochs)
    hand = tuple(min(float(one["epoch"]) for one in pair) for pair in theirs)
    rate = Result(
        name=f"gpu_images_{case.backbone}",
        program=session.program,
        title=f"{title}: images/s after the first epoch",
        against="",
        target=case.rate,
        unit="images/s",
        values=tuple(images / seconds for seconds in mine),
        note=f"{images:,} images, a fifth of them for validation; both count. Random weights, mixed_float16.",
    )
    yield rate
    name, what, target = case.by_hand
    if what.startswith("the whole"):
        mine = tuple(float(one["seconds"]) for one in ours)
        hand = tuple(min(float(one["seconds"]) for one in pair) for pair in theirs)
    yield replace(
        rate,
        name=name,
        title=f"{title}: {what}",
        against="model.fit in mixed_float16, the faster of with and without XLA",
        target=target,
        unit="x",
        values=ratios(hand, mine),
        ours=mine,
        theirs=hand,
        note="The same images and epochs; ours trains the head for one epoch more, before.",
    )


def fit_whole(dataset: str, config: dict[str, Any], xla: bool) -> Measured:
    """As `fit_unfrozen`, in mixed_float16."""
    with in_float16():
        return fit_unfrozen(dataset, config, xla)


def feature_rows(session: Session) -> Iterator[Result]:
    """From stored images to the features of a frozen network."""
    dataset = make_dataset(session.store, Kind(images=session.pick(IMAGES, 30), validation=VALIDATION))
    size = session.pick(get_backbone("resnet50").image_size, 32)
    config = TrainingConfig(backbone="resnet50", weights="random", image_size=size, epochs=1)
    found = []
    for _ in session.rounds():
        room = {"dataset": dataset.path, "workspace": session.workspace().root}
        found.append(session.measure(train_with_engine, **room, config=config.to_dict()))
    yield Result(
        name="gpu_features_resnet50",
        program=session.program,
        title="on a GPU: features of frozen ResNet50, from stored images",
        against="",
        target=4_000,
        unit="images/s",
        values=tuple(float(one["trunk_rate"] or 0.0) for one in found),
        note=f"{len(dataset.images):,} images at {size} px; the speed that the page shows at the end of the pass.",
    )


def quick_start_rows(session: Session) -> Iterator[Result]:
    """*Quick start* from Start to done, in a worker process that has trained before."""
    kept = make_dataset(session.store, Kind(images=session.pick(QUICK_START_IMAGES, 30)))
    values = []
    for _ in session.rounds():
        workspace = session.workspace()
        dataset = share_dataset(kept, workspace)
        quick = {"epochs": 2, "image_size": 32} if session.quick else {}
        found = session.measure(start_in_worker, dataset=dataset.path, workspace=workspace.root, changes=quick)
        values.append(float(found["seconds"]))
    yield Result(
        name="gpu_quick_start",
        program=session.program,
        title=f"on a GPU: Quick start on {len(kept.images)} images, Start to done, warm worker",
        against="",
        target=5,
        unit="s",
        at_least=False,
        values=tuple(values),
        note="The second training of a worker, with another image size than the first: nothing is kept of it.",
    )


def start_in_worker(dataset: str, workspace: str, changes: dict[str, Any]) -> Measured:
    """Train twice in one worker process; ``seconds`` of the second."""
    from tl_core.jobs import manager

    room, images = Workspace(Path(workspace)), load_dataset(Path(dataset))
    config = replace(TrainingConfig(), **changes)
    size = config.image_size or get_backbone(config.backbone).image_size
    jobs = manager(room)
    seconds = [_train_in_queue(jobs, room, images, replace(config, image_size=px)) for px in (size + 32, size)]
    return {"seconds": seconds[-1]}


def _train_in_queue(jobs: Any, room: Workspace, dataset: Any, config: TrainingConfig) -> float:
    from tl_core.runs import create_run, find_run

    run, began = create_run(room, config, dataset), time.monotonic()
    jobs.submit(run.id)
    while (found := find_run(room, run.id)).active:
        if time.monotonic() - began > QUICK_START_SECONDS:
            raise BenchmarkError(f"The training did not end within {QUICK_START_SECONDS} s.")
        time.sleep(LOOK_EVERY)
    if found.status != "done":
        raise BenchmarkError(f"The training ended as {found.status}: {found.error}")
    return time.monotonic() - began
