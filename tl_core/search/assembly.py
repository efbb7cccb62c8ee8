"""Makes an ensemble of a run: its model and other heads on other backbones become one Keras model, the run's own."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.config import TrainingConfig
from tl_core.data.dataset import Dataset
from tl_core.errors import StoppedError
from tl_core.features.cache import open_cache
from tl_core.features.compiled import compile_network
from tl_core.features.images import open_images
from tl_core.inference.novelty import load_novelty, save_novelty
from tl_core.machine.device import use_device
from tl_core.machine.progress import TaskContext
from tl_core.models.classifier import Classifier, build_classifier, join_classifiers, split_classifier
from tl_core.models.load import load_stored
from tl_core.runs import RunRecord, update_run
from tl_core.runs.evaluations import read_metrics, save_probabilities
from tl_core.runs.record import KeptModel
from tl_core.search.heads import Weights
from tl_core.storage.files import write_json
from tl_core.training.callbacks.backup import remove_checkpoint
from tl_core.training.losses import Loss
from tl_core.training.saving import save_model

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 64  # images

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Member:
    """Another head on another backbone."""

    config: TrainingConfig
    weights: Weights  # of its head, as `tl_core.search.heads` learned them


def assemble(
    run: RunRecord, members: Sequence[Member], dataset: Dataset, should_stop: Callable[[], bool]
) -> RunRecord | None:
    """Let other heads answer together with the model of a run that has ended; its file becomes that of them all.

    The run keeps its curves. It cannot go on from its last epoch, which was of one member alone.

    Args:
        run: has a model, and images of the largest size among the members.
        members: besides it.
        dataset: of the run.
        should_stop: looked at while the images are measured.

    Returns:
        The run as it is now; None, and nothing changed, where they are together clearly worse on the validation
        images than the run alone, which may be when a member's images lose too much on their way to its size.

    Raises:
        StoppedError: ``should_stop`` returned true.
        WorkspaceError: the model cannot be written.
    """
    use_device("float32")  # the file is for any device
    classes = len(dataset.classes)
    others = [_built(member, classes) for member in members]
    joined = join_classifiers(split_classifier(load_stored(run)), others)
    labels = {name: _labels(dataset, name) for name in ("validation", "test") if dataset.of_split(name)}
    answers = {"validation": _answers(joined, run, dataset, "validation", should_stop)}
    if run.best is None or _clearly_worse(answers["validation"], labels["validation"], run.best.val_accuracy):
        return None
    if "test" in labels:
        answers["test"] = _answers(joined, run, dataset, "test", should_stop)
    loss = Loss(run.config.head.output, classes, run.config.label_smoothing)
    figures = {name: _figures(loss, labels[name], found) for name, found in answers.items()}
    made = _replace_model(run, joined.model, tuple(member.config for member in members), figures)
    assert made.model_sha256 is not None  # noqa: S101  # it has just been written
    known = {"model_sha256": made.model_sha256, "dataset_fingerprint": dataset.fingerprint}
    for name, found in answers.items():
        save_probabilities(run.folder, name, found, labels[name], **known)
    return made


def _replace_model(
    run: RunRecord, model: keras.Model, members: tuple[TrainingConfig, ...], figures: dict[str, dict[str, float]]
) -> RunRecord:
    """Write the model, what it is made of, and how good it is."""
    assert run.best is not None  # noqa: S101  # the caller has looked
    checked = figures["validation"]
    best = replace(run.best, val_loss=checked["loss"], val_accuracy=checked["accuracy"])

    def announce(sha256: str) -> None:
        update_run(run.path, next_model=KeptModel(best=best, sha256=sha256))

    known = load_novelty(run.folder, run.model_sha256)
    remove_checkpoint(run.folder)
    sha256 = save_model(run.folder.model_file, model, announce)
    made = update_run(run.path, best=best, model_sha256=sha256, next_model=None, members=members)
    if known is not None:  # the ensemble sees what its first member sees
        save_novelty(run.folder, replace(known, model_sha256=np.array(sha256)))
    write_json(run.folder.metrics_file, {**read_metrics(run), **figures, "best": asdict(best)})
    return made


def _built(member: Member, classes: int) -> Classifier:
    """The whole classifier of a member, with the weights of its head."""
    classifier = build_classifier(member.config, classes)
    layers = [layer for layer in classifier.head.layers if isinstance(layer, keras.layers.Dense)]
    for layer, (kernel, bias) in zip(layers, member.weights, strict=True):
        layer.set_weights([kernel, bias])
    return classifier


def _labels(dataset: Dataset, split: str) -> npt.NDArray[np.int32]:
    return np.array([image.label for image in dataset.of_split(split)], np.int32)


def _answers(
    joined: Classifier, run: RunRecord, dataset: Dataset, split: str, should_stop: Callable[[], bool]
) -> Probabilities:
    """Probabilities of the images of a split ``(n, classes)``, from the network that is saved."""
    size = joined.image_size
    images = open_images(
        open_cache(run.workspace), dataset, size, TaskContext(should_stop=should_stop), run.config.fit
    )
    rows = np.array([row for row, image in enumerate(dataset.images) if image.split == split], np.int64)

    def forward(batch: tf.Tensor) -> list[tf.Tensor]:
        return [joined.model(tf.cast(batch, tf.float32), training=False)]

    network = compile_network(forward, size, use_device("float32"), batch_size=None)
    pieces = []
    for start in range(0, len(rows), _AT_ONCE):
        if should_stop():
            raise StoppedError("Stopped while the ensemble was measured.")
        pieces.append(network(images.read(rows[start : start + _AT_ONCE]))[0])
    return np.concatenate(pieces).astype(np.float32)


def _clearly_worse(found: Probabilities, labels: npt.NDArray[np.int32], alone: float) -> bool:
    """Whether the accuracy is below another by more than a standard error of it."""
    error = math.sqrt(max(alone * (1 - alone), 1 / len(labels)) / len(labels))
    return float((found.argmax(axis=1) == labels).mean()) < alone - error


def _figures(loss: Loss, labels: npt.NDArray[np.int32], found: Probabilities) -> dict[str, float]:
    losses = np.asarray(loss.losses(tf.constant(labels), tf.constant(found)))
    return {"loss": float(losses.mean()), "accuracy": float((found.argmax(axis=1) == labels).mean())}
