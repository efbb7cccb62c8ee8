"""How good a finished model is: measured on images it has not learned from, class by class."""

from __future__ import annotations

import contextlib
import logging
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support, recall_score

from tl_core.data.dataset import SPLITS, Dataset, ImageRecord, load_dataset
from tl_core.errors import ConfigError, DataError, NotEnoughDataError
from tl_core.features.cache import open_cache
from tl_core.features.images import open_images
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.runs import RunFolder, RunRecord, load_run
from tl_core.storage.files import replacing, sha256_of

logger = logging.getLogger(__name__)

Probabilities = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

TOP_K: Final = (1, 2, 3, 5)
ALL: Final = "all"  # in place of a split: every image of the dataset
STOPPED: Final = "The evaluation was stopped."
_BATCH: Final = 64
_LOOK_SECONDS: Final = 0.2  # between two looks at a wish to stop, while another makes the same figures

_at_work: dict[Path, threading.Lock] = {}  # by the file to be made: ten visitors may want the same figures at once


@dataclass(frozen=True, slots=True)
class ClassReport:
    """How one class fares."""

    name: str
    precision: float  # of the images called so, the share that are so; 0-1
    recall: float  # of the images that are so, the share called so; 0-1
    f1: float  # harmonic mean of both
    support: int  # images of this class


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything measured on one split; rows are the images of ``records``, in their order."""

    split: str
    classes: tuple[str, ...]
    accuracy: float  # 0-1
    balanced_accuracy: float  # mean recall of the classes that have images, 0-1: rare ones count as much as frequent
    macro_f1: float  # mean F1 of the same classes, 0-1
    top_k: dict[int, float]  # share of images whose class is among the k most probable, for k below the classes
    per_class: tuple[ClassReport, ...]
    confusion: npt.NDArray[np.int64]  # (classes, classes); rows are true, columns predicted
    probabilities: Probabilities  # (n, classes)
    labels: Labels  # (n,), the true classes
    records: tuple[ImageRecord, ...]


def evaluate_run(
    run_path: Path,
    dataset_path: Path,
    split: str = "test",
    task: TaskContext = UNATTENDED,
) -> Evaluation:
    """Measure a run's model on one split of a dataset; done once per model, dataset and split.

    Args:
        run_path: folder of the run.
        dataset_path: folder of a dataset whose classes the model knows.
        split: test, validation, train, or all.
        task: told images done and images in all; asked between batches.

    Raises:
        ModelUnavailableError: the run has no model, or its file is damaged.
        DataError: the dataset has no such images, or a class that the model does not know.
        StoppedError: the task was asked to stop.
    """
    run, dataset = load_run(run_path), load_dataset(dataset_path)
    rows = _rows(dataset, split)
    labels = _labels(run, dataset)[rows]
    probabilities = _read_kept(run, dataset, split, len(rows))
    if probabilities is None:
        with _alone(_kept_file(run.folder, split), lambda: task.report(0, len(rows)), task):
            # Whoever had to wait finds what the other has kept.
            probabilities = _read_kept(run, dataset, split, len(rows))
            if probabilities is None:
                probabilities = _predict(run, dataset, rows, task)
                save_probabilities(run.folder, _model_sha256(run), dataset, split, probabilities)
    return measure(run.classes, labels, probabilities, split, [dataset.images[row] for row in rows])


def measure(
    classes: Sequence[str], labels: Labels, probabilities: Probabilities, split: str, records: Sequence[ImageRecord]
) -> Evaluation:
    """Compute every figure from the probabilities."""
    every_class = np.arange(len(classes))
    predicted = probabilities.argmax(axis=1)
    present: Any = {"labels": np.unique(labels), "average": "macro", "zero_division": 0.0}
    columns = precision_recall_fscore_support(labels, predicted, labels=every_class, zero_division=0.0)
    return Evaluation(
        split=split,
        classes=tuple(classes),
        accuracy=float((predicted == labels).mean()),
        balanced_accuracy=float(recall_score(labels, predicted, **present)),
        macro_f1=float(f1_score(labels, predicted, **present)),
        top_k={k: _top_k(labels, probabilities, k) for k in TOP_K if k < len(classes)},
        per_class=tuple(
            ClassReport(name, float(precision), float(recall), float(f1), int(support))
            for name, precision, recall, f1, support in zip(classes, *columns, strict=True)
        ),
        confusion=confusion_matrix(labels, predicted, labels=every_class),
        probabilities=probabilities,
        labels=labels,
        records=tuple(records),
    )


def as_class_probabilities(probabilities: npt.NDArray[Any]) -> Probabilities:
    """One column per class ``(n, classes)``, also from a sigmoid's ``(n, 1)``."""
    values = np.asarray(probabilities, dtype=np.float32)
    return np.concatenate([1 - values, values], axis=1) if values.shape[1] == 1 else values


def save_probabilities(
    folder: RunFolder, model_sha256: str, dataset: Dataset, split: str, probabilities: Probabilities
) -> None:
    """Keep what a model says about a split beside the model, for `evaluate_run`."""
    with replacing(_kept_file(folder, split)) as temporary, temporary.open("wb") as file:
        np.savez(
            file, probabilities=probabilities, model=np.array(model_sha256), dataset=np.array(dataset.fingerprint)
        )


@contextlib.contextmanager
def _alone(kept: Path, wait: Callable[[], None], task: TaskContext) -> Iterator[None]:
    """Hold everybody else who wants the same figures until the block is left."""
    lock = _at_work.setdefault(kept, threading.Lock())
    while not lock.acquire(timeout=_LOOK_SECONDS):
        wait()
        task.stop_if_asked(STOPPED)
    try:
        yield
    finally:
        lock.release()


def _read_kept(run: RunRecord, dataset: Dataset, split: str, count: int) -> Probabilities | None:
    try:
        with np.load(_kept_file(run.folder, split), allow_pickle=False) as file:
            probabilities: Probabilities = file["probabilities"]
            made_from = (str(file["model"]), str(file["dataset"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        logger.warning("A damaged evaluation is made again: %s", error)
        return None
    if probabilities.shape != (count, len(run.classes)) or made_from != (_model_sha256(run), dataset.fingerprint):
        return None
    return probabilities


def _kept_file(folder: RunFolder, split: str) -> Path:
    return folder.path / f"evaluation-{split}.npz"


def _model_sha256(run: RunRecord) -> str:
    return sha256_of(run.folder.model_file) if run.has_model else ""


def _rows(dataset: Dataset, split: str) -> Labels:
    if split not in (*SPLITS, ALL):
        raise ConfigError(f"The split must be one of {', '.join((*SPLITS, ALL))}. Received: {split!r}.")
    rows = [row for row, image in enumerate(dataset.images) if split in (ALL, image.split)]
    if not rows:
        others = ", ".join(name for name in SPLITS if dataset.of_split(name))
        raise NotEnoughDataError(f"The dataset “{dataset.name}” has no {split} images; it has: {others}.")
    return np.array(rows, np.int64)


def _labels(run: RunRecord, dataset: Dataset) -> Labels:
    """The label of every image as the model counts its classes, found by name."""
    known = {name: index for index, name in enumerate(run.classes)}
    if unknown := [name for name in dataset.classes if name not in known]:
        raise DataError(
            f"The model of “{run.name}” does not know the class “{unknown[0]}” of the dataset “{dataset.name}”; "
            f"it knows: {', '.join(run.classes[:10])}{', …' * (len(run.classes) > 10)}."
        )
    of_dataset = np.array([known[name] for name in dataset.classes], np.int64)
    return of_dataset[[image.label for image in dataset.images]]


def _top_k(labels: Labels, probabilities: Probabilities, k: int) -> float:
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def _predict(
    run: RunRecord,
    dataset: Dataset,
    rows: Labels,
    task: TaskContext,
) -> Probabilities:
    from tl_core.inference.predict import open_predictor  # TensorFlow, which kept figures do not need

    predictor = open_predictor(run.path)
    images = open_images(open_cache(dataset.workspace), dataset, predictor.image_size, task.without_progress())
    pieces: list[Any] = []
    for start in range(0, len(rows), _BATCH):
        task.stop_if_asked(STOPPED)
        pieces.append(predictor.predict(images.read(rows[start : start + _BATCH])))
        task.report(min(start + _BATCH, len(rows)), len(rows))
    return np.concatenate(pieces)
