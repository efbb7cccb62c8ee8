"""The model that is trained, saved and used for prediction: raw RGB images in, class probabilities out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from tl_core.backbones.build import build_backbone
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.scaling import build_scaling
from tl_core.config import TrainingConfig
from tl_core.errors import ConfigError, ModelUnavailableError
from tl_core.models.head import build_head


@dataclass(frozen=True, slots=True)
class Classifier:
    """A whole model and its three parts, which share its weights."""

    model: keras.Model  # raw RGB [0, 255] float32 (n, s, s, 3) -> probabilities (n, classes) or (n, 1)
    preprocess: keras.Model  # raw RGB -> input of the backbone; no weights
    base: keras.Model  # the backbone: scaled images -> feature map (n, h, w, channels)
    head: keras.Model  # feature map -> probabilities

    def __call__(self, images: Any, *, training: bool = False) -> Any:
        """Compute probabilities with the backbone in inference mode, also where ``training`` is true.

        Train through this (or call ``base`` with ``training=False`` yourself). ``model(images, training=True)`` is
        not the same: Keras hands ``training=True`` of the outer model down to the nested backbone, and then its
        unfrozen BatchNormalization layers use and change their batch statistics, and its Dropout is active.
        """
        features = self.base(self.preprocess(images), training=False)
        return self.head(features, training=training)

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
    head = build_head(config.head, base.output_shape[1:], classes)
    image = keras.Input((size, size, 3), dtype="float32", name="image")
    probabilities = head(base(preprocess(image), training=False))
    return Classifier(keras.Model(image, probabilities, name="classifier"), preprocess, base, head)


def split_classifier(model: keras.Model) -> Classifier:
    """Find the parts of a classifier that was loaded from a file.

    Raises:
        ModelUnavailableError: the model was not built by `build_classifier`.
    """
    parts = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if len(parts) != 3:
        raise ModelUnavailableError(
            f"The model “{model.name}” was not made by this program: it is not scaling, backbone and head."
        )
    return Classifier(model, *parts)


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
