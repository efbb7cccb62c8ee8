"""The comparison of *Quick start* with the plain recipe, on test images, as plain values for the document.

How the settings were found (two rounds of changes, class weights, fine-tuning) was measured once; those figures
stay in ``docs/defaults.json`` as they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from benchmarks.defaults.image_sets import SEEDS, SETS, SIZES, Draw, ImageSet, draw, load_set
from benchmarks.defaults.trials import Features, compute_features, train_head
from benchmarks.machine import describe_machine, today
from tl_core.config import HeadConfig, TrainingConfig
from tl_core.config.presets import PRESETS

PLAIN_CONFIG: Final = TrainingConfig(
    preset="",
    head=HeadConfig(pooling="average", feature_normalization="none", dense_units=(256,), dropout=0.5),
    optimizer="rmsprop",
    learning_rate=1e-3,
    schedule="constant",
    label_smoothing=0.0,
    weight_decay=0.0,
    early_stopping_patience=None,
    epochs=20,
    batch_size=32,
)
"""The recipe of many courses: average pooling, Dense 256 relu, Dropout 0.5, RMSprop 1e-3, 20 epochs."""

QUICK_CONFIG: Final = PRESETS["quick_start"].config

FIRST_CONFIG: Final = TrainingConfig(
    preset="",
    head=HeadConfig(pooling="average", feature_normalization="layer", dense_units=(512,), dropout=0.5),
    optimizer="adam",
    learning_rate=1e-3,
    schedule="cosine",
    label_smoothing=0.05,
    weight_decay=0.0,
    early_stopping_patience=None,
    epochs=40,
    batch_size=32,
    fine_tune_learning_rate=1e-5,
)
"""Where the search for the quick start began."""

CHOSEN: Final = "rate 2e-3 and 60 epochs"
"""The change to the first guess that was chosen, by its name in the rounds of ``docs/defaults.json``."""


def run_study(measured: Mapping[str, Any], tell: Callable[[str], None] = print) -> dict[str, Any]:
    """Compare on every set, size and seed.

    Args:
        measured: the figures of the last run, of which those of the search are kept.
        tell: given each row as a line.
    """
    return {
        **measured,
        "date": today(),
        "machine": describe_machine(),
        "plain_recipe": PLAIN_CONFIG.to_dict(),
        "quick_start": QUICK_CONFIG.to_dict(),
        "sets": [_describe(name) for name in SETS],
        "first_guess": FIRST_CONFIG.to_dict(),
        "test": list(compare_on(tuple(SETS), SIZES, SEEDS, tell)),
    }


def compare_on(
    sets: tuple[str, ...], sizes: tuple[int | None, ...], seeds: tuple[int, ...], tell: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """One row per set, size and seed: both recipes on the test images."""
    for name in sets:
        images = load_set(name)
        features = compute_features(images.images)
        for size, seed in itertools.product(sizes, seeds):
            row = {
                "set": name,
                "size": size,
                "seed": seed,
                **_compare(images, features, draw(images, size, seed), seed),
            }
            tell(str(row))
            yield row


def _compare(images: ImageSet, features: Features, drawn: Draw, seed: int) -> dict[str, Any]:
    plain, quick = (
        train_head(replace(config, seed=seed), images, features, drawn) for config in (PLAIN_CONFIG, QUICK_CONFIG)
    )
    return {
        "plain": _percent(plain.accuracy),
        "plain_last_epoch": _percent(plain.last_accuracy),
        "quick_start": _percent(quick.accuracy),
        "plain_log_loss": round(plain.log_loss, 4),
        "log_loss": round(quick.log_loss, 4),
        "plain_seconds": round(plain.seconds, 2),
        "seconds": round(quick.seconds, 2),
        "best_epoch": quick.best_epoch,
    }


def _percent(share: float) -> float:
    return round(100 * share, 3)


def _describe(name: str) -> dict[str, Any]:
    description = SETS[name]
    return {
        "name": name,
        "kind": description.kind,
        "package": description.package,
        "license": description.license,
        "images_per_class": dict(description.pools),
        "classes": description.classes,
    }
