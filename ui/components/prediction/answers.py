"""Predicting each picture once; answers are cached in this browser tab alone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Final

import streamlit as st

from tl_core.errors import ModelUnavailableError
from tl_core.imported_models.store import ImportedModel
from tl_core.inference.novelty import knows
from tl_core.machine.pool import Pool
from tl_core.runs import RunRecord
from tl_core.runs.epoch_checkpoints import epoch_file
from ui.components.pictures import MAX_PICTURES, Picture
from ui.components.task_progress import waiting_bar

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

Asked = RunRecord | ImportedModel
"""Whose model answers."""
CACHED: Final = 4 * MAX_PICTURES  # answers: comparing a few models on the same pictures runs each of them once
AT_ONCE: Final = 16  # pictures in one batch; between two batches the bar moves
PATIENCE_SECONDS: Final = 0.7  # before a bar appears, so that none flashes where the answers are there at once
_ANSWERS: Final = "answers"  # in the session: the cache


def answers_to(pictures: Sequence[Picture], asked: Asked, epoch: int | None = None) -> list[Answer]:
    """Predict each picture, with a bar if it takes long.

    The first question to a model loads it, which takes some seconds.

    Args:
        pictures: to predict.
        asked: a run, whose model predicts, or an imported model.
        epoch: one of the run's saved epochs; None = the best one.

    Raises:
        ModelUnavailableError: the run has no usable model.
        ModelFileError: the process of the imported model returned no valid result.
    """
    model: Hashable
    if isinstance(asked, ImportedModel):
        model = (asked.id, asked.scaling)
    else:
        model = (asked.path, epoch, model_version(asked, epoch))
    cache: Pool[Answer] = st.session_state.setdefault(_ANSWERS, Pool(CACHED))
    answers = {picture.id: cache.find((model, picture.id)) for picture in pictures}
    new = [picture for picture in pictures if answers[picture.id] is None]
    began, place = time.monotonic(), st.empty()
    with st.spinner("Looking at it …", show_time=True):
        for start in range(0, len(new), AT_ONCE):
            batch = new[start : start + AT_ONCE]
            said = _ask(asked, [picture.data for picture in batch], epoch)
            for picture, answer in zip(batch, said, strict=True):
                answers[picture.id] = answer
                cache.put((model, picture.id), answer)
            if len(pictures) > 1 and time.monotonic() - began > PATIENCE_SECONDS:
                done = len(pictures) - len(new) + start + len(batch)
                place.progress(done / len(pictures), f"{done:,} of {len(pictures):,} pictures")
    place.empty()
    return [found for picture in pictures if (found := answers[picture.id]) is not None]


def _ask(asked: Asked, images: list[bytes], epoch: int | None) -> list[Answer]:
    from tl_core.imported_models.model_server import answerer_of
    from tl_core.inference.predict import predict_images, predict_with  # imports TensorFlow

    if isinstance(asked, ImportedModel):
        return predict_with(answerer_of(asked), images)
    wait_until_known(asked, epoch)
    return predict_images(asked.path, images, epoch)


def wait_until_known(run: RunRecord, epoch: int | None = None) -> None:
    """Where its training has not kept what the model was taught, learn that now, with a bar."""
    if knows(run.folder, run.model_sha256):
        return
    from tl_core.inference.novelty_learning import LOOKING, learns_first  # imports TensorFlow
    from tl_core.inference.predict import open_knowing

    if learns_first(run, epoch):
        with waiting_bar(f"{LOOKING} …") as task:
            open_knowing(run.path, epoch, task)


def model_version(run: RunRecord, epoch: int | None = None) -> tuple[int, ...]:
    """Another one as soon as the model, or its calibration, is another.

    Raises:
        ModelUnavailableError: the run has no model.
    """
    try:
        file = run.folder.model_file if epoch is None else epoch_file(run.folder, epoch)
        stamps = [file.stat().st_mtime_ns]
    except FileNotFoundError:
        if epoch is not None:
            raise ModelUnavailableError(f"Epoch {epoch} of “{run.name}” is no longer kept: choose another.") from None
        raise ModelUnavailableError(f"“{run.name}” has no model any more: choose another run.") from None
    with contextlib.suppress(FileNotFoundError):
        stamps.append(run.folder.calibration_file.stat().st_mtime_ns)
    return tuple(stamps)
