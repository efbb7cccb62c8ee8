"""The map of all images and the court over their labels, at 2,000 and at 20,000 images with cached features."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.results import Result
from benchmarks.session import Measured, Session
from benchmarks.synthetic import Kind, make_dataset, share_dataset

SIZES: Final = ((2_000, 10.0), (20_000, 60.0))  # images, and the most seconds that are allowed
FILES: Final = 1000  # different pictures; the others are made of their features and noise, so that none are equal
STORED: Final = 96  # pixels of the stored pictures
NOISE: Final = 0.3  # standard deviations of each feature


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


def map_and_court(dataset: str) -> Measured:
    """Seconds of each, without the features; what an earlier round has kept of either is removed."""
    import numpy as np

    from tl_core.audit.features import FeatureSource
    from tl_core.audit.heads import compact
    from tl_core.audit.image_map import lay_out
    from tl_core.audit.label_court import judge_labels
    from tl_core.data.dataset import load_dataset
    from tl_core.machine.progress import UNATTENDED

    loaded = load_dataset(Path(dataset))
    for kept in loaded.workspace.cache.glob("*"):
        if kept.name.startswith(("map-", "court-")):
            shutil.rmtree(kept)
    first = {image.file: row for row, image in reversed(list(enumerate(loaded.images)))}
    rows = np.array(sorted(first.values()), np.int64)
    seen = FeatureSource(loaded, UNATTENDED).read(rows)
    place = {loaded.images[row].file: number for number, row in enumerate(rows)}
    features = seen[[place[image.file] for image in loaded.images]]
    features += NOISE * seen.std(axis=0) * np.random.default_rng(0).normal(size=features.shape).astype(np.float32)
    began = time.perf_counter()
    lay_out(loaded, compact(features))
    mapped = time.perf_counter()
    judge_labels(loaded, features)
    return {"map": mapped - began, "court": time.perf_counter() - mapped}
