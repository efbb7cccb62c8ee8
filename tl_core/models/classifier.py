"""The model that is trained, saved and used for prediction: raw RGB images in, class probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import keras

from tl_core.backbones.block_maps import block_map
from tl_core.backbones.build import build_backbone
from tl_core.backbones.outline import load_outline
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.scaling import build_scaling
from tl_core.config import TrainingConfig
from tl_core.errors import ConfigError, ModelUnavailableError
from tl_core.models.head import build_head

WIDTH: Final = 2  # axis of an image or a map
MIRRORED: Final = "mirrored"  # begins the names of the layers that join the maps of an image and its mirror image
MEMBER: Final = "member_"  # begins the names of the other classifiers of an ensemble, inside its model


@dataclass(frozen=True, slots=True)
class Classifier:
    """A whole model and its three parts, which share its weights.

    An ensemble is the classifier that leads it and its `members`: each a whole model from the same images to
    probabilities. What the model answers is the mean of them all; what it sees is what the first sees.
    """

    model: keras.Model  # raw RGB [0, 255] float32 (n, s, s, 3) -> probabilities (n, classes) or (n, 1)
    preprocess: keras.Model  # raw RGB -> input of the backbone; no weights
    base: keras.Model  # the backbone: scaled images -> feature map (n, h, w, channels)
    head: keras.Model  # feature maps -> probabilities
    features: (
        keras.Model
    )  # the backbone with all outputs that the head takes, its last map first; often `base` itself
    mirrored: bool = False  # whether the mirror image is looked at, too
    members: tuple[keras.Model, ...] = ()  # of an ensemble, besides this one: raw RGB -> probabilities

    def __call__(self, images: Any, *, training: bool = False) -> Any:
        """Compute probabilities with the backbone in inference mode, also where ``training`` is true.

        Train through this (or call ``base`` with ``training=False`` yourself). ``model(images, training=True)`` is
        not the same: Keras hands ``training=True`` of the outer model down to the nested backbone, and then its
        unfrozen BatchNormalization layers use and change their batch statistics, and its Dropout is active.
        """
        own = self.head(self.maps(self.preprocess(images)), training=training)
        return self.with_members(images, own)

    def with_members(self, images: Any, own: Any) -> Any:
        """The mean of its own probabilities for these raw images and those of the ensemble's other members."""
        if not self.members:
            return own
        return keras.ops.mean(keras.ops.stack([own, *(one(images, training=False) for one in self.members)]), axis=0)

    def maps(self, scaled: Any) -> Any:
        """The feature maps that the head takes, of scaled images: a list where there are several."""
        found = self.features(scaled, training=False)
        if not self.mirrored:
            return found
        return beside(found, self.features(flipped(scaled), training=False))

    @property
    def image_size(self) -> int:
        """Width and height of the images it takes, in pixels."""
        return int(self.model.input_shape[1])


def build_classifier(config: TrainingConfig, classes: int, base: keras.Model | None = None) -> Classifier:
    """Build scaling, backbone and head into one model, with the whole backbone frozen.

    The model is made of Keras layers and operations alone: ``keras.models.load_model`` opens the saved file without
    our code.

    Args:
        classes: number of classes, at least 2.
        base: a backbone that `tl_core.backbones.build.build_backbone` built; None = build it.

    Raises:
        ConfigError: the configuration does not fit the backbone or the number of classes.
        NotEnoughDataError: fewer than two classes.
        WeightsUnavailableError: the pretrained weights are not here and cannot be downloaded.
    """
    backbone = get_backbone(config.backbone)
    size = backbone.checked_image_size(config.image_size)
    if base is None:
        base = build_backbone(backbone.name, size, config.weights)
    freeze_layers(base)
    preprocess = build_scaling(backbone.scaling, size)
    features, mirrored = _with_blocks(base, backbone.name, config.head.blocks), config.head.mirrored
    shapes = [
        (height, width * (2 if mirrored else 1), channels)
        for height, width, channels in (output.shape[1:] for output in features.outputs)
    ]
    head = build_head(config.head, shapes, classes)
    parts = Classifier(base, preprocess, base, head, features, mirrored)  # its model is made of the others
    image = keras.Input((size, size, 3), dtype="float32", name="image")
    return replace(parts, model=keras.Model(image, _through(parts, image), name="classifier"))


def _through(parts: Classifier, image: Any) -> Any:
    """The probabilities for a symbolic image, with layers whose names tell what they do."""
    scaled = parts.preprocess(image)
    maps = parts.features(scaled, training=False)
    if parts.mirrored:
        other = parts.features(keras.ops.flip(scaled, axis=WIDTH), training=False)
        maps = [
            keras.layers.Concatenate(axis=WIDTH, name=f"{MIRRORED}_{at}")(pair)
            for at, pair in enumerate(zip(as_list(maps), as_list(other), strict=True))
        ]
        maps = maps if len(maps) > 1 else maps[0]
    return parts.head(maps)


def _with_blocks(base: keras.Model, name: str, blocks: int) -> keras.Model:
    """The backbone with the outputs of its last blocks, from the end on; itself where that is one.

    Raises:
        ConfigError: it has not as many blocks that end in a map, as a network from elsewhere may.
    """
    if blocks == 1:
        return base
    ends = [block_map(base, block.end) for block in load_outline(name).blocks[:-1]]
    maps = [found for found in reversed(ends) if found is not None][: blocks - 1]
    if len(maps) < blocks - 1:
        raise ConfigError(
            f"{get_backbone(name).title} has {len(maps) + 1} blocks that give features. Received: {blocks}."
        )
    return keras.Model(base.input, [base.output, *maps], name=base.name)


def flipped(images: Any) -> Any:
    """Images ``(n, h, w, c)`` with left and right exchanged."""
    return keras.ops.flip(images, axis=WIDTH)


def beside(maps: Any, others: Any) -> Any:
    """Feature maps of images and of their mirror images side by side, so that a pooling goes over both."""
    found = [keras.ops.concatenate(pair, axis=WIDTH) for pair in zip(as_list(maps), as_list(others), strict=True)]
    return found if len(found) > 1 else found[0]


def as_list(maps: Any) -> list[Any]:
    """One or several maps as a list."""
    return list(maps) if isinstance(maps, (list, tuple)) else [maps]


def split_classifier(model: keras.Model) -> Classifier:
    """Find the parts of a classifier that was loaded from a file.

    Raises:
        ModelUnavailableError: the model was not built by `build_classifier`.
    """
    models = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    members = tuple(layer for layer in models if layer.name.startswith(MEMBER))
    parts = [layer for layer in models if layer not in members]
    if len(parts) != 3:
        raise ModelUnavailableError(
            f"The model “{model.name}” was not made by this program: it is not scaling, backbone and head."
        )
    preprocess, features, head = parts
    one = len(features.outputs) == 1
    base = features if one else keras.Model(features.input, features.outputs[0], name=features.name)
    mirrored = any(layer.name.startswith(MIRRORED) for layer in model.layers)
    return Classifier(model, preprocess, base, head, features, mirrored, members)


def join_classifiers(first: Classifier, others: Sequence[Classifier]) -> Classifier:
    """Join classifiers of the same classes into one whose answer is the mean of theirs.

    Args:
        first: the one that leads: images have its size.
        others: each makes of an image one of its own size.

    Returns:
        A classifier whose model shares the weights of all, made of Keras layers alone.
    """
    size = first.image_size
    members = []
    for number, other in enumerate(others, start=1):
        image = keras.Input((size, size, 3), dtype="float32", name="image")
        own = other.image_size
        resized = image if own == size else keras.layers.Resizing(own, own, name="resized")(image)
        members.append(keras.Model(image, _through(other, resized), name=f"{MEMBER}{number}"))
    image = keras.Input((size, size, 3), dtype="float32", name="image")
    alone = _through(first, image)
    mean = keras.layers.Average(name="mean")([alone, *(member(image) for member in members)])
    model = keras.Model(image, mean, name="classifier")
    return replace(first, model=model, members=tuple(members))


def freeze_layers(base: keras.Model, frozen: int | None = None) -> None:
    """Freeze the first ``frozen`` layers of ``base.layers`` and make the others trainable.

    A model must be compiled again afterwards.
    BatchNormalization layers that become trainable train their scale and offset; their statistics stay, because
    a `Classifier` calls its backbone with ``training=False``.

    Raises:
        ConfigError: ``frozen`` is neither 0 to the number of layers nor None, which means all.
    """
    count = len(base.layers)
    frozen = count if frozen is None else frozen
    if not 0 <= frozen <= count:
        raise ConfigError(f"{base.name} has {count} layers, of which 0 to {count} can be frozen. Received: {frozen}.")
    base.trainable = True  # a frozen model hides that some of its layers are trainable
    for index, layer in enumerate(base.layers):
        layer.trainable = index >= frozen
