"""Datasets and settings so small that a test trains in a second or two."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tl_core.config import HeadConfig, TrainingConfig
from tl_core.data import import_uploads
from tl_core.data.dataset import Dataset
from tl_core.runs import create_run, load_run, read_events
from tl_core.storage.workspace import Workspace

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

COLOURS = {"blue": (40, 60, 200), "green": (50, 190, 60), "red": (210, 50, 50)}
GREY = {"one": (120, 120, 120), "two": (121, 120, 120)}  # two names of the same noise

QUICK = TrainingConfig(
    backbone="vgg16",
    weights="random",
    image_size=32,
    head=HeadConfig(feature_normalization="layer", dropout=0.0),
    epochs=4,
    learning_rate=1e-2,
    batch_size=8,
    precision="float32",  # so that the figures are those of any machine
    seed=7,
)


# Minutes of work, of which the first seconds give a model: for what happens in mid-run.
LONG = replace(QUICK, frozen_layers=0, fine_tune_epochs=200, fine_tune_learning_rate=1e-5)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def coloured(colour: tuple[int, int, int], seed: int) -> bytes:
    noise = np.random.default_rng(seed).normal(0, 25, (40, 40, 3))
    return png(np.clip(np.array(colour) + noise, 0, 255))


def write_film(path: Path, colour: tuple[int, int, int]) -> Path:
    """Motion JPEG for a browser's fake camera: one picture after the other, played again and again."""
    with path.open("wb") as file:
        for seed in range(10):
            frame = io.BytesIO()
            with Image.open(io.BytesIO(coloured(colour, 800 + seed))) as picture:
                picture.resize((640, 480)).save(frame, "JPEG", quality=90)
            file.write(frame.getvalue())
    return path


def import_coloured(workspace: Workspace, colours: dict[str, tuple[int, int, int]], count: int = 14) -> Dataset:
    seeds = itertools.count()
    images = {
        name: [(f"{number}.png", coloured(colour, next(seeds))) for number in range(count)]
        for name, colour in colours.items()
    }
    return import_uploads(workspace, images, "Colours")


def probabilities_of(answers: Iterable[Answer]) -> np.ndarray:
    """``(answers, classes)``, the classes in the order of their names."""
    return np.array([[share for _, share in sorted(answer.ranked)] for answer in answers], np.float32)


class Trained:
    """A run that has come to its end, however."""

    def __init__(self, run_path):
        self.record = load_run(run_path)
        self.folder = self.record.folder
        self.events = read_events(self.folder.events_file)

    def of_kind(self, kind):
        return [event for event in self.events if event["kind"] == kind]

    @property
    def epochs(self):
        return self.of_kind("epoch")

    @property
    def phases(self):
        return [event["phase"] for event in self.of_kind("phase")]

    @property
    def notes(self):
        return [event["text"] for event in self.of_kind("note")]

    def curve(self, name):
        return [event[name] for event in self.epochs]


class Trainer:
    """Trains in a workspace: ``trainer(dataset, epochs=2)`` gives the finished run, or raises as ``train`` does."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.path = workspace.runs  # of the latest run

    def __call__(self, dataset: Dataset, should_stop=lambda run_path: False, **changes: Any) -> Trained:
        from tl_core.training import train  # TensorFlow, which most tests of this folder do without

        record = create_run(self._workspace, replace(QUICK, **changes), dataset)
        self.path = record.path
        train(record.config, dataset.path, record.path, lambda: should_stop(record.path))
        return Trained(record.path)
