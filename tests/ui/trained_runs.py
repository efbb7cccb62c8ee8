"""Runs that have ended, with a small but real model, made without a training."""

from __future__ import annotations

import functools
import io
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.tl_core.figures.run_events import two_phase_run
from tl_core.config import TrainingConfig
from tl_core.data import SplitConfig, import_uploads
from tl_core.runs import Best, EventLog, create_run, update_run
from tl_core.runs.store import now
from tl_core.storage.files import sha256_of

COLOURS = {"red": (220, 40, 40), "blue": (40, 40, 220)}
SIZE = 32


def coloured(colour, seed):
    """A PNG of one colour with a little noise, different for each seed."""
    noise = np.random.default_rng(seed).integers(-30, 30, (SIZE, SIZE, 3))
    file = io.BytesIO()
    Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def colour_dataset(workspace, each=16):
    images = {
        name: [(f"{name} {seed}.png", coloured(colour, 100 * place + seed)) for seed in range(each)]
        for place, (name, colour) in enumerate(COLOURS.items())
    }
    return import_uploads(workspace, images, "Colours", SplitConfig(validation=0.25, test=0.25))


@functools.cache
def colour_model():
    """A Keras file that tells red from blue by the mean colour; probabilities in the order blue, red."""
    import keras

    image = keras.Input((SIZE, SIZE, 3))
    means = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    answer = keras.layers.Dense(2, activation="softmax", name="answer")
    model = keras.Model(image, answer(means))
    answer.set_weights([np.array([[-6, 6], [0, 0], [6, -6]], np.float32), np.zeros(2, np.float32)])
    path = Path(tempfile.mkdtemp()) / "model.keras"
    model.save(path)
    return path


def ended_run(workspace, dataset, name=None, *, status="done", accuracy=0.9, model=True, config=None, **changes):
    """A run as a training leaves it; ``model=False``: one that ended before it had anything to keep."""
    run = create_run(workspace, config or TrainingConfig(), dataset, name)
    best = Best(epoch=5, phase="head", val_loss=0.4, val_accuracy=accuracy) if model else None
    if model:
        shutil.copy(colour_model(), run.folder.model_file)
        changes["model_sha256"] = sha256_of(run.folder.model_file)
        with EventLog(run.folder.events_file) as events:
            for event in two_phase_run():
                events.write(**event)
    return update_run(run.path, status=status, started=now(), finished=now(), best=best, **changes)
