"""The map of all images and the court over their labels, at 2,000 and at 20,000 images with cached features; a click
of *Label by pointing* on 2,000.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.results import Result
from benchmarks.session import Measured, Session
from benchmarks.synthetic import Kind, make_dataset, share_dataset
from tl_core.data.dataset import Dataset

if TYPE_CHECKING:
    from tl_core.audit.features import Features

SIZES: Final = ((2_000, 10.0), (20_000, 60.0))  # images, and the most seconds that are allowed
FILES: Final = 1000  # different pictures; the others are made of their features and noise, so that none are equal
STORED: Final = 96  # pixels of the stored pictures
NOISE: Final = 0.3  # standard deviations of each feature
CLICKS: Final = 60
A_CLICK: Final = 0.5  # seconds at most


def run(session: Session) -> Iterator[Result]:
    """Measure the rows."""
    for images, target in session.pick(SIZES, ((60, 10.0),)):
        kind = Kind(images=images, different=min(images, FILES), width=STORED, height=STORED)
        dataset = share_dataset(make_dataset(session.store, kind), session.workspace())
        measured = [session.measure(map_and_court, dataset=dataset.path) for _ in session.rounds()]
        parts = ", ".join(
            f"{name} {sorted(one[name] for one in measured)[len(measured) // 2]:.1f} s" for name in ("map", "court")
        )
        yield Result(
            name=f"map_and_court_{images}",
            program=session.program,
            title=f"map and label court of {images:,} images, features cached",
            against="",
            target=target,
            unit="s",
            at_least=False,
            values=tuple(float(one["map"]) + float(one["court"]) for one in measured),
            note=(
                f"Both from nothing but the features of EfficientNet-Lite0. Medians: {parts}. The features of "
                f"{FILES:,} pictures, each taken several times with noise."
            ),
        )
    yield _pointing(session)


def _pointing(session: Session) -> Result:
    images = session.pick(SIZES[0][0], 60)
    kind = Kind(images=images, different=min(images, FILES), width=STORED, height=STORED)
    dataset = share_dataset(make_dataset(session.store, kind), session.workspace())
    clicks = session.pick(CLICKS, 20)
    measured = [session.measure(point, dataset=dataset.path, clicks=clicks) for _ in session.rounds()]
    return Result(
        name=f"pointing_{images}",
        program=session.program,
        title=f"label by pointing, {images:,} pictures: all that an answer sets off",
        against="",
        target=A_CLICK,
        unit="s",
        at_least=False,
        values=tuple(float(one["slowest"]) for one in measured),
        note=f"The slowest of the answers of {clicks} clicks: heads, the next question, the estimate.",
    )


def map_and_court(dataset: str) -> Measured:
    """Seconds of each, without the features; what an earlier round has kept of either is removed."""
    from tl_core.audit.heads import compact
    from tl_core.audit.image_map import lay_out
    from tl_core.audit.label_court import judge_labels
    from tl_core.data.dataset import load_dataset

    loaded = load_dataset(Path(dataset))
    for kept in loaded.workspace.cache.glob("*"):
        if kept.name.startswith(("map-", "court-")):
            shutil.rmtree(kept)
    features, taken = _features(loaded), _as_different(loaded)
    began = time.perf_counter()
    lay_out(taken, compact(features))
    mapped = time.perf_counter()
    judge_labels(taken, features)
    return {"map": mapped - began, "court": time.perf_counter() - mapped}


def point(dataset: str, clicks: int) -> Measured:
    """Seconds of the slowest answer, where each question is answered truly."""
    import numpy as np

    from benchmarks.pointing import point_out
    from tl_core.data.dataset import load_dataset

    loaded = load_dataset(Path(dataset))
    truth = np.array([image.label for image in loaded.images], np.int64)
    return {"slowest": max(stand.seconds for stand in point_out(_features(loaded), truth, clicks))}


def _features(dataset: Dataset) -> Features:
    """Features of all images: those of one file differ by noise."""
    import numpy as np

    from tl_core.audit.features import FeatureSource
    from tl_core.machine.progress import UNATTENDED

    first = {image.file: row for row, image in reversed(list(enumerate(dataset.images)))}
    rows = np.array(sorted(first.values()), np.int64)
    seen = FeatureSource(dataset, UNATTENDED).read(rows)
    place = {dataset.images[row].file: number for number, row in enumerate(rows)}
    features = seen[[place[image.file] for image in dataset.images]]
    noise = np.random.default_rng(0).normal(size=features.shape)
    return np.asarray(features + NOISE * seen.std(axis=0) * noise, np.float32)


def _as_different(dataset: Dataset) -> Dataset:
    """As if no two images were of one file: equal ones would be laid out once, and judged together."""
    rng = random.Random(0)

    def other() -> str:
        return f"{rng.getrandbits(256):064x}"

    images = tuple(replace(image, pixels_sha256=other(), perceptual_hash=other()) for image in dataset.images)
    return replace(dataset, images=images)
