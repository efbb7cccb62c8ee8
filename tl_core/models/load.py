"""The model of a run from its checkpoint files, which must be those the training wrote, and its weights by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy.typing as npt

from tl_core.errors import ModelUnavailableError
from tl_core.models.classifier import Classifier, split_classifier
from tl_core.runs import RunRecord
from tl_core.runs.epoch_checkpoints import read_epoch
from tl_core.storage.files import sha256_of

Array = npt.NDArray[Any]


def load_stored(run: RunRecord, epoch: int | None = None) -> keras.Model:
    """The model of a run as the training saved it: of one of its saved epochs, or the best one.

    Raises:
        ModelUnavailableError: the run has no model yet, the epoch is not saved, or a file is damaged or was changed
            from outside.
    """
    model = _load_best(run)
    if epoch is not None:
        try:
            put_weights(split_classifier(model), read_epoch(run, epoch))
        except ValueError as error:
            raise _damaged(run) from error
    return model


def _load_best(run: RunRecord) -> keras.Model:
    path = run.folder.model_file
    if not run.has_model:
        raise ModelUnavailableError(
            f"“{run.name}” has no model yet: wait for its first epochs, or choose another run."
        )
    # While a run is active its model is replaced now and then, and the record follows a moment later.
    if not run.active and sha256_of(path) != run.model_sha256:
        raise _damaged(run)
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _damaged(run) from error


def _damaged(run: RunRecord) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"The model file of “{run.name}” is damaged or was changed from outside, so it is not used: train it again."
    )


def weights_of_head(classifier: Classifier) -> dict[str, Array]:
    """Copies of all weights of the head, by layer and place: ``head/dense_1/0``."""
    return _values(_named("head", classifier.head.layers))


def weights_of_backbone(classifier: Classifier, frozen_layers: int) -> dict[str, Array]:
    """Copies of the weights behind the first ``frozen_layers`` layers: ``backbone/block5_conv1/0``."""
    return _values(_named("backbone", classifier.base.layers[frozen_layers:]))


def put_weights(classifier: Classifier, weights: Mapping[str, Array]) -> None:
    """Set the weights of a classifier from those of another of the same structure; those not named stay.

    Raises:
        ValueError: a weight is unknown, or of another shape.
    """
    places = _named("backbone", classifier.base.layers) | _named("head", classifier.head.layers)
    if unknown := weights.keys() - places.keys():
        raise ValueError(f"There is no weight {sorted(unknown)[0]}.")
    for name, value in weights.items():
        places[name].assign(value)


def _named(part: str, layers: list[keras.Layer]) -> dict[str, keras.Variable]:
    return {f"{part}/{layer.name}/{place}": weight for layer in layers for place, weight in enumerate(layer.weights)}


def _values(variables: Mapping[str, keras.Variable]) -> dict[str, Array]:
    return {name: variable.value.numpy().copy() for name, variable in variables.items()}
