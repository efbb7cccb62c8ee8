"""Asking a model from a file about pictures, with all that `tl_core.prediction` does for those of runs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tl_core.brought.keeping import ask, keep_open
from tl_core.brought.process import Report, nobody
from tl_core.brought.store import BroughtModel
from tl_core.confidence import Confidence
from tl_core.data.progress import ShouldStop, never
from tl_core.prediction import Answerer, Predictor


def open_brought(model: BroughtModel, report: Report = nobody, should_stop: ShouldStop = never) -> Predictor:
    """Open a model from a file in its process, unless it is open already; see `tl_core.brought.keeping.keep_open`.

    Returns:
        A predictor that asks the process, and starts it again where it has ended.
    """
    keep_open(model, report, should_stop)
    return Predictor(model.classes, model.image_size, _Elsewhere(model))


def answerer_of(model: BroughtModel) -> Answerer:
    """For `tl_core.prediction`: doubtful answers are given as its manifest says; plainly, where it says nothing."""
    confidence = Confidence(model_sha256=model.sha256, temperature=model.temperature, threshold=model.threshold)
    return lambda: (open_brought(model), confidence)


class _Elsewhere:
    """A network of `tl_core.engine`, which lives in another process."""

    text = "a process of its own"

    def __init__(self, model: BroughtModel) -> None:
        self._model = model

    def __call__(self, images: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
        return [ask(self._model, images)]
