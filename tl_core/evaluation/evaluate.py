"""Evaluation of a finished model on images it was not trained on, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    recall_score,
    top_k_accuracy_score,
)

from tl_core.data.dataset import SPLITS, Dataset, ImageRecord
from tl_core.errors import ConfigError, DataError, NotEnoughDataError
from tl_core.features.cache import open_cache
from tl_core.features.images import open_images
from tl_core.machine.pool import KeyedLocks
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.models.probabilities import Probabilities
from tl_core.runs import RunRecord, dataset_of, load_run
from tl_core.runs.evaluations import (
    evaluation_file,
    model_digest,
    read_measured,
    read_probabilities,
    save_probabilities,
)

Labels = npt.NDArray[np.int64]

TOP_K: Final = (1, 2, 3, 5)
ALL: Final = "all"  # in place of a split: every image of the dataset
STOPPED: Final = "The evaluation was stopped."
_BATCH: Final = 64

_at_work: Final = KeyedLocks()  # by the file to be written: ten visitors may request the same figures at once


@dataclass(frozen=True, slots=True)
class ClassReport:
    """The metrics of one class; None where there are no images to measure it by."""

    name: str
    precision: float | None  # of the images called so, the share that are so, 0-1; None also if none is called so
    recall: float | None  # of the images that are so, the share called so; 0-1
    f1: float | None  # harmonic mean of both, 0-1
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
        dataset_path: folder of a dataset whose classes the model has.
        split: test, validation, train, or all.
        task: gets images done and images in all; checked for a stop between batches.

    Raises:
        ModelUnavailableError: the run has no model, or its file is damaged.
        DataError: the dataset has no such images, or a class that the model does not have.
        StoppedError: a stop was requested.
    """
    run = load_run(run_path)
    dataset = dataset_of(run, dataset_path)
    rows = _rows(dataset, split)
    labels = _labels(run, dataset)[rows]
    made_from = {"model_sha256": model_digest(run), "dataset_fingerprint": dataset.fingerprint}

    def saved() -> Probabilities | None:
        return read_probabilities(run.folder, split, (len(rows), len(run.classes)), **made_from)

    def report_and_look() -> None:
        task.report(0, len(rows))
        task.stop_if_asked(STOPPED)

    probabilities = saved()
    if probabilities is None:
        with _at_work.hold(evaluation_file(run.folder, split), report_and_look):
            probabilities = saved()  # a thread that had to wait finds what the other has saved
            if probabilities is None:
                probabilities = _predict(run, dataset, rows, task)
                save_probabilities(run.folder, split, probabilities, labels, **made_from)
    return measure(run.classes, labels, probabilities, split, [dataset.images[row] for row in rows])


def measured_before(run: RunRecord, split: str) -> Evaluation | None:
    """What was measured of a run on its own dataset, without the images; None where nothing was."""
    made_from = {"model_sha256": model_digest(run), "dataset_fingerprint": run.dataset_fingerprint}
    found = read_measured(run.folder, split, **made_from)
    return None if found is None else measure(run.classes, found[1].astype(np.int64), found[0], split, ())


def measure(
    classes: Sequence[str], labels: Labels, probabilities: Probabilities, split: str, records: Sequence[ImageRecord]
) -> Evaluation:
    """Compute every figure from the probabilities."""
    every_class = np.arange(len(classes))
    predicted = probabilities.argmax(axis=1)
    present: Any = {"labels": np.unique(labels), "average": "macro", "zero_division": 0.0}
    accuracy = float((predicted == labels).mean())
    return Evaluation(
        split=split,
        classes=tuple(classes),
        accuracy=accuracy,
        balanced_accuracy=float(recall_score(labels, predicted, **present)),
        macro_f1=float(f1_score(labels, predicted, **present)),
        top_k={k: accuracy if k == 1 else _top_k(labels, probabilities, k) for k in TOP_K if k < len(classes)},
        per_class=_per_class(classes, labels, predicted),
        confusion=confusion_matrix(labels, predicted, labels=every_class),
        probabilities=probabilities,
        labels=labels,
        records=tuple(records),
    )


def _per_class(classes: Sequence[str], labels: Labels, predicted: Labels) -> tuple[ClassReport, ...]:
    every_class = np.arange(len(classes))
    columns = precision_recall_fscore_support(labels, predicted, labels=every_class, zero_division=0.0)
    answers = np.bincount(predicted, minlength=len(classes))
    return tuple(
        ClassReport(
            name,
            precision=float(precision) if count and support else None,
            recall=float(recall) if support else None,
            f1=float(f1) if support else None,
            support=int(support),
        )
        for name, precision, recall, f1, support, count in zip(classes, *columns, answers, strict=True)
    )


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
    for name in dataset.classes:  # “Brick” is “brick”, where the model has not both
        alike = [index for index, other in enumerate(run.classes) if other.casefold() == name.casefold()]
        if len(alike) == 1:
            known.setdefault(name, alike[0])
    if unknown := [name for name in dataset.classes if name not in known]:
        raise DataError(
            f"The model of “{run.name}” does not know the class “{unknown[0]}” of the dataset “{dataset.name}”; "
            f"it knows: {', '.join(run.classes[:10])}{', …' * (len(run.classes) > 10)}."
        )
    of_dataset = np.array([known[name] for name in dataset.classes], np.int64)
    return of_dataset[[image.label for image in dataset.images]]


def _top_k(labels: Labels, probabilities: Probabilities, k: int) -> float:
    # scikit-learn counts the last of several equal classes first; reversed it is the first, as for the prediction.
    classes = np.arange(probabilities.shape[1])
    return float(top_k_accuracy_score(classes[-1] - labels, probabilities[:, ::-1], k=k, labels=classes))


def _predict(
    run: RunRecord,
    dataset: Dataset,
    rows: Labels,
    task: TaskContext,
) -> Probabilities:
    from tl_core.inference.predictor import open_predictor  # TensorFlow, which saved figures do not need

    predictor = open_predictor(run.path)
    cache, reading = open_cache(dataset.workspace), predictor.reading
    images = open_images(cache, dataset, reading.size, task.without_progress(), reading.fit)
    pieces: list[Any] = []
    for start in range(0, len(rows), _BATCH):
        task.stop_if_asked(STOPPED)
        pieces.append(predictor.predict(images.read(rows[start : start + _BATCH])))
        task.report(min(start + _BATCH, len(rows)), len(rows))
    return np.concatenate(pieces)
