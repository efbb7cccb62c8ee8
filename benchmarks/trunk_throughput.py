"""How many images a second run through the frozen backbone: our compiled trunk against Keras ``predict``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from benchmarks.machine import NO_BFLOAT16, has_bfloat16
from benchmarks.results import Result, ratios
from benchmarks.session import Measured, Session
from tl_core.backbones.registry import get_backbone

BATCH: Final = 32


@dataclass(frozen=True, slots=True)
class Target:
    """One backbone: how much to measure, and the ratios to reach."""

    backbone: str
    images: int  # a multiple of the batch, after one batch to warm up
    float32: float
    bfloat16: float


TARGETS: Final = (
    Target("efficientnet_lite0", 256, 1.8, 3.0),
    Target("resnet50", 96, 1.4, 3.5),
    Target("vgg16", 64, 1.0, 3.0),
)


def run(session: Session) -> Iterator[Result]:
    """Measure the rows."""
    for target in session.pick(TARGETS, TARGETS[:1]):
        size = session.pick(get_backbone(target.backbone).image_size, 32)
        work = {"backbone": target.backbone, "size": size, "images": session.pick(target.images, BATCH)}
        keras, float32, bfloat16 = [], [], []
        for _ in session.rounds():
            keras.append(session.measure(keras_predict, **work))
            float32.append(session.measure(compiled_trunk, **work, precision="float32"))
            if has_bfloat16():
                bfloat16.append(session.measure(compiled_trunk, **work, precision="auto"))
        yield _row(session, target, "float32", float32, keras)
        yield _row(session, target, "bfloat16", bfloat16, keras)


def _row(session: Session, target: Target, precision: str, trunks: list[Measured], keras: list[Measured]) -> Result:
    ours = tuple(float(one["images_per_second"]) for one in trunks)
    theirs = tuple(float(one["images_per_second"]) for one in keras) if trunks else ()
    how = ", ".join(sorted({one["text"] for one in trunks}))
    return Result(
        name=f"trunk_{target.backbone}_{precision}",
        program=session.program,
        title=f"trunk throughput, {get_backbone(target.backbone).title}, {precision}",
        against="Keras predict, float32",
        target=getattr(target, precision),
        unit="x",
        values=ratios(ours, theirs),
        ours=ours,
        theirs=theirs,
        measured_in="images/s",
        note=f"Batches of {BATCH}, random weights (the speed is the same), one batch to warm up. Ran on: {how}.",
        unavailable="" if trunks else NO_BFLOAT16,
    )


def keras_predict(backbone: str, size: int, images: int) -> Measured:
    """``model.predict`` of scaling, backbone and pooling."""
    import benchmarks.keras_by_hand as hand

    pictures = _pictures(images, size)
    model = hand.build_features(backbone, size, "random")
    model.predict(pictures[:BATCH], batch_size=BATCH, verbose=0)
    began = time.perf_counter()
    model.predict(pictures, batch_size=BATCH, verbose=0)
    return {"images_per_second": images / (time.perf_counter() - began)}


def compiled_trunk(backbone: str, size: int, images: int, precision: str) -> Measured:
    """The same layers as the engine compiles them; ``text`` says how."""
    from tl_core.config import TrainingConfig
    from tl_core.features.compiled import compile_network
    from tl_core.features.partition import partition_classifier
    from tl_core.machine.device import use_device
    from tl_core.models.classifier import build_classifier

    pictures, device = _pictures(images, size), use_device(precision)
    classifier = build_classifier(TrainingConfig(backbone=backbone, weights="random", image_size=size), 10)
    frozen = partition_classifier(classifier, len(classifier.base.layers)).frozen
    if frozen is None:
        raise ValueError(f"{backbone} has no frozen part.")
    batch = device.trunk_batch
    network = compile_network(frozen, size, device, batch_size=batch, sample=pictures[:batch])
    network(pictures[:batch])
    began = time.perf_counter()
    network(pictures)
    return {"images_per_second": images / (time.perf_counter() - began), "text": network.text}


def _pictures(count: int, size: int) -> Any:
    return np.random.default_rng(1).integers(0, 256, (count, size, size, 3), np.uint8)
