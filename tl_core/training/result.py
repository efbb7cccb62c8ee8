"""The end of a training: its best model is measured as it is stored, written, and what it achieved recorded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np

from tl_core.errors import WorkspaceError
from tl_core.inference.novelty import MOST_HELD_OUT, MOST_ROWS, evenly, fit_novelty, joined, save_novelty
from tl_core.models.classifier import Classifier
from tl_core.models.probabilities import as_class_probabilities
from tl_core.runs import Best, RunFolder
from tl_core.runs.evaluations import save_probabilities
from tl_core.storage.files import write_json
from tl_core.training.callbacks.best_model import SaveBestModel
from tl_core.training.callbacks.event_log import EVALUATE, SAVE
from tl_core.training.epoch_runner import Interrupted, Result
from tl_core.training.inputs import Subset
from tl_core.training.setup import TrainingSetup
from tl_core.training.trainer import Trainer

logger = logging.getLogger(__name__)

MEASURED_AFTER_STOP: Final = 1.0  # seconds: after a stop, a measurement that takes longer is left out
_AT_ONCE: Final = 64  # images

ShouldStop = Callable[[], bool]


def save_result(
    trainer: Trainer, setup: TrainingSetup, folder: RunFolder, saver: SaveBestModel, *, measure: bool
) -> Best:
    """Save the best model of a training that has ended with its figures, which are measured if there is time for it.

    Its weights are in place when this is called.

    Returns:
        The best epoch, with the figures of the stored model where they were measured.
    """
    results: dict[str, Result] = {}
    if measure:
        setup.log.begin(EVALUATE, "Measuring the best model")
        results = _measure(trainer, setup, saver)
    assert trainer.best is not None  # noqa: S101  # the callers have looked
    if "validation" in results:
        checked = results["validation"]
        trainer.best = replace(trainer.best, val_loss=checked.loss, val_accuracy=checked.accuracy)
    setup.log.begin(SAVE, "Saving the best model")
    trainer.end()
    for split, result in results.items():
        save_probabilities(
            folder,
            split,
            as_class_probabilities(result.probabilities),
            setup.labels[setup.rows_of(split)],
            model_sha256=saver.sha256,
            dataset_fingerprint=setup.dataset.fingerprint,
        )
    _keep_what_was_taught(trainer, setup, folder, saver.sha256)
    setup.log.close_stage()
    metrics: dict[str, Any] = {"best": asdict(trainer.best), "epochs": trainer.epoch}
    metrics |= {split: {"loss": result.loss, "accuracy": result.accuracy} for split, result in results.items()}
    write_json(folder.metrics_file, {**metrics, "seconds": setup.log.seconds})
    return trainer.best


def _keep_what_was_taught(trainer: Trainer, setup: TrainingSetup, folder: RunFolder, model_sha256: str) -> None:
    """Write what the model was taught, where that is at hand; else it is learned before the model's first answer."""
    if trainer.data.seen is None:
        return
    taught, held_out = trainer.data.seen
    places, asked = evenly(taught.labels, MOST_ROWS), evenly(held_out.labels, MOST_HELD_OUT)
    images = [setup.dataset.images[row].file for row in setup.rows_of("train")[places]]
    parts = taught.inputs.read(taught.rows[places])
    novelty = fit_novelty(
        joined(parts),
        taught.labels[places],
        images,
        joined(held_out.inputs.read(held_out.rows[asked])),
        model_sha256,
        [part.shape[1] for part in parts],
    )
    try:
        save_novelty(folder, novelty)
    except WorkspaceError as error:
        logger.warning("What the model was taught could not be kept and is learned again: %s", error)


def _measure(trainer: Trainer, setup: TrainingSetup, saver: SaveBestModel) -> dict[str, Result]:
    began = time.monotonic()

    def too_long() -> bool:
        return setup.should_stop() and time.monotonic() - began > MEASURED_AFTER_STOP

    data, stored = trainer.data, saver.stored_form()
    subsets = {"validation": data.validation, "test": data.test}
    try:
        return {
            split: trainer.evaluate(subset, too_long)
            if stored is setup.classifier
            else _measure_stored(stored, subset, setup, setup.rows_of(split), too_long)
            for split, subset in subsets.items()
            if subset is not None
        }
    except Interrupted:
        setup.log.note("The kept model is not measured any further; that is done when it is evaluated.")
        return {}


def _measure_stored(
    stored: Classifier, subset: Subset, setup: TrainingSetup, rows: Any, should_stop: ShouldStop
) -> Result:
    """Run the images through the model that is stored, where the one in training calculates with fewer bits."""
    pieces = []
    for start in range(0, len(rows), _AT_ONCE):
        images = setup.images.read(rows[start : start + _AT_ONCE]).astype(np.float32)
        pieces.append(np.asarray(stored(images)))
        if should_stop():
            raise Interrupted
    probabilities = np.concatenate(pieces)
    losses = np.asarray(setup.loss.losses(subset.labels, probabilities)) * subset.weights
    correct = np.asarray(setup.loss.correct(subset.labels, probabilities))
    penalty = sum(map(float, stored.head.losses))
    return Result(float(losses.mean()) + penalty, float(correct.mean()), probabilities)
