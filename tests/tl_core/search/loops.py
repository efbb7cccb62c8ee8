"""Small features and a loop over trials on them, for the tests of a search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tl_core.search.ensembles import Answers
from tl_core.search.heads import Features, Mask
from tl_core.search.history import Trial
from tl_core.search.space import SOURCES, Source, dimensions, quick_start_params
from tl_core.search.trials import TrialLoop, held_out_images


def overlapping_classes(images: int, validation: int, noise: float) -> Features:
    """Three classes that overlap, with four blocks of averages and maxima; the last images are for validation."""
    random = np.random.default_rng(0)
    labels = np.arange(images) % 3
    views = (random.normal(0, 1, (3, 64))[labels] + random.normal(0, noise, (images, 64))).astype(np.float32)
    held_out = np.arange(images) >= images - validation
    return Features(views[None], labels.astype(np.int64), held_out, 3, (8, 8, 8, 8))


def make_loop(
    features: Features,
    folder: Path,
    masks: Mask | None = None,
    sources: Sequence[Source] = SOURCES[:1],
    trials: Sequence[Trial] = (),
) -> TrialLoop:
    """A loop that has begun, or goes on with some trials."""
    found = dimensions(sources, unbalanced=False)
    return TrialLoop(
        found=found,
        quick_start=quick_start_params(found),
        masks=held_out_images(features, 1) if masks is None else masks,
        labels=features.labels,
        answers=Answers(folder / "answers"),
        seconds=600,
        seed=1,
        small=False,
        elapsed=lambda: 1.0,
        done=lambda trial: None,
        trials=list(trials),
    )
