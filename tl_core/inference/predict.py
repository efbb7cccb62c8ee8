"""Predicting with a finished model: photographs in, class probabilities out, also while another training runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, Literal

import numpy as np

from tl_core.data.imports.archive import LIMITS, ArchiveLimits, zip_source
from tl_core.data.normalise import Reading
from tl_core.errors import ImageError
from tl_core.inference.calibration import Calibration, apply_temperature, load_calibration
from tl_core.inference.novelty import Features
from tl_core.inference.novelty_learning import novelty_of
from tl_core.inference.predictor import Images, Predictor, open_predictor
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.models.probabilities import Probabilities
from tl_core.runs import RunRecord, load_run
from tl_core.runs.epoch_checkpoints import find_epoch

Ranked = tuple[tuple[str, float], ...]
"""Classes and their probabilities (0-1), the most probable first."""
Reason = Literal["unlike", "unsure", "unusable"]
"""Unlike anything the model was taught, less likely than the threshold, or a file that is no picture."""
Prepared = tuple[Images | str, float]
"""A picture's pixels, or one sentence why it cannot be used; and the seconds that took."""

NAMED: Final = 3  # classes named of each file of an archive
_CHUNK: Final = 64  # photographs decoded at a time


@dataclass(frozen=True, slots=True)
class Nearest:
    """The training image that a picture is least unlike."""

    label: str  # its class
    file: str  # in the folder of the dataset


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's prediction for one picture, or why there is none."""

    ranked: Ranked  # every class; empty if there is an error
    seconds: float  # decoding, and this picture's share of the network's time
    error: str | None = None  # one sentence, if the picture cannot be used
    threshold: float = 0.0  # below this probability the prediction is *I don't know*; 0 = never reject
    name: str = ""  # of the file, with its folders, where there is one
    novelty: float = 0.0  # distance from what the model was taught; 1 = as far as something known may be
    nearest: Nearest | None = None  # the training image from which that was measured

    @property
    def unlike(self) -> bool:
        """Whether the picture is unlike anything the model was taught."""
        return self.novelty > 1

    @property
    def answered(self) -> bool:
        """Whether it is a picture of something known, and likelier than the threshold; else it is only a guess."""
        return self.reason is None

    @property
    def reason(self) -> Reason | None:
        """Why the likeliest class is no answer; None where it is."""
        if not self.ranked:
            return "unusable"
        if self.unlike:
            return "unlike"
        return "unsure" if self.ranked[0][1] < self.threshold else None


Answerer = Callable[[], tuple[Predictor, Calibration]]
"""Opens a model, with how its answers are calibrated; called once the pictures are known to be there."""


def predict_images(run_path: Path, images: Sequence[bytes], epoch: int | None = None) -> list[Answer]:
    """Classify photographs with the model of a run, with the calibration that was chosen for it.

    Args:
        images: files as they were uploaded, in any accepted format.
        epoch: one of its saved epochs; None = the best one.

    Returns:
        One answer per file, in the same order; a file that cannot be used has a sentence in place of classes.

    Raises:
        ModelUnavailableError: the run has no model yet, the epoch is not saved, or a file is damaged.
        RunNotFoundError: there is no such run.
    """
    return predict_with(answerer_of_run(run_path, epoch), images)


def predict_with(answerer: Answerer, images: Sequence[bytes]) -> list[Answer]:
    """As `predict_images`, with a model that need not be that of a run."""
    reads = [partial(bytes, data) for data in images]
    return [answer for chunk in _in_chunks(answerer, reads) for answer in chunk]


def predict_archive(
    answerer: Answerer, archive: BinaryIO | Path, task: TaskContext = UNATTENDED, limits: ArchiveLimits = LIMITS
) -> list[Answer]:
    """Classify all images in a zip file, a few dozen in memory at a time.

    Args:
        answerer: opens the model, such as `answerer_of_run`.
        archive: a zip; its folders do not matter.
        task: gets images done and images in all; checked for a stop between batches.
        limits: what the archive may hold.

    Returns:
        One answer per file, with its three likeliest classes, in the order of their names; then those that were left
        out at first sight.

    Raises:
        ArchiveError: it is no zip, is damaged or empty, or is over a limit.
        ModelUnavailableError: the run has no model yet, the epoch is not saved, or a file is damaged.
        StoppedError: a stop was requested.
    """
    answers: list[Answer] = []
    with zip_source(archive, limits) as source:
        names = [file.shown_name for file in source.files]
        task.report(0, len(names))
        for chunk in _in_chunks(answerer, [file.read for file in source.files]):
            for answer in chunk:
                answers.append(replace(answer, name=names[len(answers)], ranked=answer.ranked[:NAMED]))
            task.report(len(answers), len(names))
            task.stop_if_asked("The prediction was stopped; nothing of it was kept.")
        return [*answers, *(Answer((), 0.0, file.reason, name=file.name) for file in source.skipped)]


def calibration_of(run: RunRecord, epoch: int | None = None) -> Calibration:
    """The calibration of the run's model; one that changes nothing, unless a person has chosen otherwise for it.

    The choice was measured on the best epoch, so another saved one always answers.
    """
    return load_calibration(run.folder, run.model_sha256 if epoch is None else find_epoch(run, epoch).sha256)


def answerer_of_run(run_path: Path, epoch: int | None = None) -> Answerer:
    """Opens the model of a run, of one of its saved epochs or the best one (None)."""

    def opened() -> tuple[Predictor, Calibration]:
        return open_knowing(run_path, epoch), calibration_of(load_run(run_path), epoch)

    return opened


def open_knowing(run_path: Path, epoch: int | None = None, task: TaskContext = UNATTENDED) -> Predictor:
    """As `open_predictor`, with what the model was taught, which is learned now where that was not done yet.

    Args:
        task: gets the images looked at and in all; checked for a stop.
    """
    return replace(open_predictor(run_path, epoch), known=novelty_of(run_path, epoch, task))


def _in_chunks(answerer: Answerer, reads: Sequence[Callable[[], bytes]]) -> Iterator[list[Answer]]:
    predictor, calibration = answerer()
    with ThreadPoolExecutor() as threads:
        for start in range(0, len(reads), _CHUNK):
            chunk = reads[start : start + _CHUNK]
            prepared = list(threads.map(lambda read: prepare_image(read, predictor.reading), chunk))
            yield answers_to(predictor, calibration, prepared)


def answers_to(predictor: Predictor, calibration: Calibration, prepared: Sequence[Prepared]) -> list[Answer]:
    """Classify pictures that `prepare_image` has read, in one pass through the network; one answer for each."""
    images = [image for image, _ in prepared if not isinstance(image, str)]
    began = time.perf_counter()
    probabilities, seen = predictor.look(np.stack(images) if images else np.empty((0, 1, 1, 3), np.uint8))
    rows = iter(apply_temperature(probabilities, calibration.temperature))
    found = iter(_novelties(predictor, seen, calibration.accepted, len(images)))
    share = (time.perf_counter() - began) / max(1, len(images))
    answers = []
    for image, seconds in prepared:
        if isinstance(image, str):
            answers.append(Answer((), seconds, image))
            continue
        novelty, nearest = next(found)
        names = ranked(predictor.classes, next(rows))
        answers.append(
            Answer(names, seconds + share, threshold=calibration.threshold, novelty=novelty, nearest=nearest)
        )
    return answers


def _novelties(
    predictor: Predictor, seen: Features | None, accepted: float, count: int
) -> list[tuple[float, Nearest | None]]:
    known = predictor.known
    if known is None or seen is None:
        return [(0.0, None)] * count
    distances, places = known.measure(seen)
    limit = known.limit(accepted)
    return [
        (float(distance / limit), Nearest(predictor.classes[known.labels[place]], str(known.images[place])))
        for distance, place in zip(distances, places, strict=True)
    ]


def prepare_image(read: Callable[[], bytes], reading: Reading) -> Prepared:
    """The pixels ``(size, size, 3)`` as the model sees them, or why there are none, and how many seconds it took."""
    began = time.perf_counter()
    try:
        image: Images | str = reading.of_file(read())
    except ImageError as error:
        image = str(error)
    return image, time.perf_counter() - began


def ranked(classes: Sequence[str], probabilities: Probabilities) -> Ranked:
    """Classes with their probabilities ``(classes,)``, the most probable first; of two equal ones the first."""
    order = np.argsort(-probabilities, kind="stable")
    return tuple((classes[index], float(probabilities[index])) for index in order)
