"""Asking the model, each picture once; answers are kept in this browser tab alone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import streamlit as st

from tl_core.errors import ModelUnavailableError
from tl_core.runs import RunRecord
from tl_core.runs.epoch_checkpoints import epoch_file
from ui.components.pictures import MAX_PICTURES, Picture

KEPT: Final = 4 * MAX_PICTURES  # answers: comparing a few models on the same pictures asks each of them once
PATIENCE_SECONDS: Final = 0.7  # before a bar appears, so that none flashes where the answers are there at once

Ranked = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says about one picture."""

    picture: Picture
    ranked: Ranked  # every class and its probability (0-1), likeliest first; empty where there is no answer
    seconds: float  # from the file to the probabilities
    error: str | None  # one sentence, if the picture cannot be used
    threshold: float = 0.0  # the model answers from this probability on, and else says *I don't know*
    epoch: int | None = None  # the kept epoch that has answered; None = the best one

    @property
    def answered(self) -> bool:
        """Whether the model is sure enough; a doubtful answer is only a best guess."""
        return bool(self.ranked) and self.ranked[0][1] >= self.threshold


def answers_to(pictures: Sequence[Picture], run: RunRecord, epoch: int | None = None) -> list[Answer]:
    """Ask the run's model about each picture, with a bar if it takes long.

    The first question to a model loads it, which takes some seconds.

    Args:
        pictures: to ask about.
        run: whose model is asked.
        epoch: one of its kept epochs; None = the best one.

    Raises:
        ModelUnavailableError: the run has no usable model.
    """
    version = model_version(run, epoch)
    answers: list[Answer] = []
    began, place = time.monotonic(), st.empty()
    with st.spinner("Asking the model …", show_time=True):
        for picture in pictures:
            said = _ask(run.path, epoch, version, picture.id, picture.data)
            answers.append(Answer(picture, *said, epoch))
            if len(pictures) > 1 and time.monotonic() - began > PATIENCE_SECONDS:
                place.progress(len(answers) / len(pictures), f"{len(answers):,} of {len(pictures):,} pictures")
    place.empty()
    return answers


def model_version(run: RunRecord, epoch: int | None = None) -> tuple[int, ...]:
    """Another one as soon as the model, or what was chosen for its doubtful answers, is another.

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


@st.cache_data(scope="session", max_entries=KEPT, show_spinner=False)
def _ask(
    run_path: Path, epoch: int | None, version: tuple[int, ...], picture_id: str, _data: bytes
) -> tuple[Ranked, float, str | None, float]:
    """Plain values, so that nothing but names and numbers stays in memory; the picture's id stands for its bytes."""
    del version, picture_id  # only tell one question from another
    from tl_core.inference.predict import predict_images  # imports TensorFlow, so only when a question is asked

    (prediction,) = predict_images(run_path, [_data], epoch)
    ranked = () if prediction.error else tuple(prediction.top(len(prediction.classes)))
    return ranked, prediction.seconds, prediction.error, prediction.threshold
