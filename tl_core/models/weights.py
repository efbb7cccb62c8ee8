"""The trainable weights of a classifier by name: copied out of one, put into another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import keras
import numpy.typing as npt

from tl_core.models.classifier import Classifier

Array = npt.NDArray[Any]

_BACKBONE: Final = "backbone"
_HEAD: Final = "head"


def weights_of_head(classifier: Classifier) -> dict[str, Array]:
    """Copies of all weights of the head, by layer and place: ``head/dense_1/0``."""
    return _values(_named(_HEAD, classifier.head.layers))


def weights_of_backbone(classifier: Classifier, frozen_layers: int) -> dict[str, Array]:
    """Copies of the weights behind the first ``frozen_layers`` layers: ``backbone/block5_conv1/0``."""
    return _values(_named(_BACKBONE, classifier.base.layers[frozen_layers:]))


def put_weights(classifier: Classifier, weights: Mapping[str, Array]) -> None:
    """Set the weights of a classifier from those of another of the same structure; those not named stay.

    Raises:
        ValueError: a weight is unknown, or of another shape.
    """
    places = _named(_BACKBONE, classifier.base.layers) | _named(_HEAD, classifier.head.layers)
    if unknown := weights.keys() - places.keys():
        raise ValueError(f"There is no weight {sorted(unknown)[0]}.")
    for name, value in weights.items():
        places[name].assign(value)


def _named(part: str, layers: list[keras.Layer]) -> dict[str, keras.Variable]:
    return {f"{part}/{layer.name}/{place}": weight for layer in layers for place, weight in enumerate(layer.weights)}


def _values(variables: Mapping[str, keras.Variable]) -> dict[str, Array]:
    return {name: variable.value.numpy().copy() for name, variable in variables.items()}
