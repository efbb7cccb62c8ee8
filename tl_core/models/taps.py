"""What a classifier sees of an image besides its answer: averages of two of its feature maps.

The last map says *what* is in a picture, the last one before the network halves its maps for the last time says *how
it looks where*: in a quarter of the picture each. Together they tell a picture of something else, see
`tl_core.inference.novelty`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import keras

from tl_core.backbones.make_outlines import outline_in_model
from tl_core.models.classifier import Classifier, as_list, beside, flipped

GRID: Final = 2  # cells of the earlier map, down and across


@dataclass(frozen=True, slots=True)
class Taps:
    """Where a classifier is looked into, for a program that does the same."""

    layer: str | None  # of the earlier map
    cells: tuple[int, ...]  # of that map's quarters, height and width ...
    steps: tuple[int, ...]  # ... and from one to the next
    maps: int  # that the head takes
    mirrored: bool  # whether it takes those of the mirror image, too
    members: bool  # whether others answer with it, see `Classifier.members`


def taps_of(backbone: str, classifier: Classifier) -> Taps:
    """Where `tapped_classifier` looks."""
    layer = tapped_layer(backbone, classifier.base)
    shape = classifier.features.get_layer(layer).output.shape[1:3] if layer else (1, 1)
    cells, steps = zip(*map(quarter_sizes, shape), strict=True)
    maps = len(classifier.features.outputs)
    return Taps(layer, cells, steps, maps, classifier.mirrored, bool(classifier.members))


def tapped_layer(backbone: str, base: keras.Model) -> str | None:
    """The layer that gives the earlier map: the end of the last block with a larger map than the last one.

    Args:
        backbone: its name in the configuration; a network that was deleted since is known by its layers.
        base: the backbone.

    Returns:
        The layer's name; None where no block has a larger map.
    """
    ends = [base.layers[block.end - 1] for block in outline_in_model(backbone, base).blocks]
    ends = [layer for layer in ends if not isinstance(layer.output, (list, tuple)) and len(layer.output.shape) == 4]
    larger = [layer.name for layer in ends if layer.output.shape[1] > base.output.shape[1]]
    return larger[-1] if larger else None


def tapped_classifier(classifier: Classifier, layer: str | None) -> keras.Model:
    """The classifier with more outputs, which shares its weights and runs its backbone once.

    Args:
        classifier: its parts.
        layer: from `tapped_layer`.

    Returns:
        A model from raw RGB images to a list: the probabilities, the last map's averages ``(n, channels)``, and the
        earlier map's averages ``(n, 4 * channels)`` if there is one; float32.
    """
    size = classifier.image_size
    image = keras.Input((size, size, 3), dtype="float32", name="image")
    found, taps = tapped_maps(classifier, layer)(classifier.preprocess(image))
    answer = classifier.with_members(image, classifier.head(found))
    return keras.Model(image, [answer, *taps], name="tapped_classifier")


def tapped_maps(classifier: Classifier, layer: str | None) -> Callable[[Any], tuple[Any, list[Any]]]:
    """From scaled images to the maps that the head takes, and what `tapped_classifier` gives besides its answer."""
    features = looking(classifier.features, layer)

    def maps_and_taps(scaled: Any) -> tuple[Any, list[Any]]:
        *maps, looked_at = as_list(features(scaled, training=False))
        found: Any = maps if len(maps) > 1 else maps[0]
        if classifier.mirrored:
            found = beside(found, classifier.features(flipped(scaled), training=False))
        taps = [keras.layers.GlobalAveragePooling2D(dtype="float32", name="seen")(maps[0])]
        return found, [*taps, quarters(looked_at)] if layer is not None else taps

    return maps_and_taps


def tap_sizes(classifier: Classifier, layer: str | None) -> tuple[int, ...]:
    """How many values of one image each tap gives."""
    earlier = () if layer is None else (GRID**2 * classifier.features.get_layer(layer).output.shape[-1],)
    return (classifier.features.outputs[0].shape[-1], *earlier)


def looking(features: keras.Model, layer: str | None) -> keras.Model:
    """The backbone with the earlier map as a further, last output; without one its last map once more."""
    earlier = features.outputs[0] if layer is None else features.get_layer(layer).output
    return keras.Model(features.input, [*features.outputs, keras.layers.Identity(name="looked_at")(earlier)])


def quarter_sizes(length: int) -> tuple[int, int]:
    """How long a cell is, and from one to the next, so that two cover a side; they share its middle if it is odd."""
    return -(-length // GRID), max(1, length // GRID)


def quarters(found: Any) -> Any:
    """A map ``(n, h, w, channels)`` averaged over its four quarters."""
    cells, steps = zip(*map(quarter_sizes, found.shape[1:3]), strict=True)
    pooled = keras.layers.AveragePooling2D(cells, steps, dtype="float32", name="quarters")(found)
    return keras.layers.Flatten(name="seen_where")(pooled)
