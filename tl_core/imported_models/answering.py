"""Predicting pictures with an imported model, with all that `tl_core.inference.predict` does for those of runs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tl_core.imported_models.model_server import ask, hold_open
from tl_core.imported_models.store import ImportedModel
from tl_core.inference.calibration import Calibration
from tl_core.inference.predict import Answerer, Predictor
from tl_core.machine.progress import UNATTENDED, TaskContext


def open_imported_model(model: ImportedModel, task: TaskContext = UNATTENDED) -> Predictor:
    """Open an imported model in its process, unless it is open already; see `model_server.hold_open`.

    Returns:
        A predictor that asks the process, and starts it again where it has ended.
    """
    hold_open(model, task)
    return Predictor(model.classes, model.image_size, _Elsewhere(model))


def answerer_of(model: ImportedModel) -> Answerer:
    """For `inference.predict`: uncertain answers are given as its manifest says; plainly, where it says nothing."""
    confidence = Calibration(model_sha256=model.sha256, temperature=model.temperature, threshold=model.threshold)
    return lambda: (open_imported_model(model), confidence)


class _Elsewhere:
    """A network of `tl_core.features`, which lives in another process."""

    text = "a process of its own"

    def __init__(self, model: ImportedModel) -> None:
        self._model = model

    def __call__(self, images: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
        return [ask(self._model, images)]
