"""Ready-made configurations: four goals, and seven published walk-throughs with their own settings.

The goals need nothing but what the installation brings.

A setting that a walk-through leaves open has the value that Keras gives it, or else `TrainingConfig`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from tl_core.config.augmentation import AugmentationConfig
from tl_core.config.head import HeadConfig
from tl_core.config.training import TrainingConfig

DEFAULT_PRESET: Final = "quick_start"
GOALS: Final = ("quick_start", "most_accurate", "few_images", "phone")  # the other presets are published recipes


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A configuration with a name and a reason."""

    name: str
    title: str
    text: str  # what it teaches, in a sentence or two
    config: TrainingConfig
    source_url: str | None = None  # where the walk-through was published


_BOOK: Final = (
    "https://github.com/fchollet/deep-learning-with-python-notebooks/blob/master/second_edition/"
    "chapter08_intro-to-dl-for-computer-vision.ipynb"
)
_GUIDE: Final = "https://keras.io/guides/transfer_learning/"

_VGG16_BLOCK5_CONV1: Final = 15  # index of this layer in the backbone without its head
_LITE2_BLOCK7: Final = 175  # layers before the last two blocks of EfficientNet-Lite2

# A walk-through has one constant rate per phase, and the labels as they are.
_PUBLISHED: Final = TrainingConfig(
    schedule="constant", label_smoothing=0.0, fine_tune_learning_rate=1e-5, learning_rate=1e-3, epochs=20
)
_BOOK_CONFIG: Final = replace(
    _PUBLISHED,
    backbone="vgg16",
    image_size=180,
    head=HeadConfig(pooling="flatten", dense_units=(256,), activation="linear", dropout=0.5, output="sigmoid"),
    optimizer="rmsprop",
)
_AUGMENTED: Final = replace(
    _BOOK_CONFIG,
    augmentation=AugmentationConfig(horizontal_flip=True, rotation_degrees=36, zoom=0.2),
    epochs=50,
)

_ALL: Final = (
    Preset(
        name="quick_start",
        title="Fast",
        text="Works well for most sets of images. Start here.",
        config=TrainingConfig(),
    ),
    Preset(
        name="most_accurate",
        title="Most accurate",
        text="A larger backbone that sees more detail; its last blocks adapt to your images. Slower.",
        config=TrainingConfig(
            backbone="efficientnet_lite2",
            frozen_layers=_LITE2_BLOCK7,
            fine_tune_epochs=10,
            fine_tune_learning_rate=2e-5,
        ),
    ),
    Preset(
        name="few_images",
        title="Few images",
        text="For 10 to 50 images per class: random versions of each image keep it from learning them by heart.",
        config=TrainingConfig(
            # No mirroring: it would be wrong for letters, digits, and everything that has a left and a right.
            augmentation=AugmentationConfig(rotation_degrees=10, zoom=0.1, shift=0.05, brightness=0.1, contrast=0.1),
            augmentation_mode="cached_views",
            views=8,
        ),
    ),
    Preset(
        name="phone",
        title="Small, for a phone",
        text="The smallest model, on smaller images: quick on a phone. Exported as int8 it is a quarter of the size.",
        config=TrainingConfig(
            image_size=160, head=HeadConfig(feature_normalization="layer", dense_units=(), dropout=0.2)
        ),
    ),
    Preset(
        name="vgg16_features",
        title="VGG16: features once, then a head",
        text=(
            "For two classes. The frozen VGG16 runs once per image, and the head learns from its output. The fast "
            "way: it rules out augmentation."
        ),
        source_url=_BOOK,
        config=_BOOK_CONFIG,
    ),
    Preset(
        name="vgg16_augmented",
        title="VGG16: augmented, frozen",
        text=(
            "For two classes. Every epoch flips, turns and zooms the images at random, so the frozen VGG16 "
            "runs again in each: slower, and better with little data."
        ),
        source_url=_BOOK,
        config=_AUGMENTED,
    ),
    Preset(
        name="vgg16_finetune",
        title="VGG16: augmented, then fine-tuned",
        text=(
            "For two classes. After the head has learned, the last four layers of VGG16 (block 5) learn as well, "
            "with a rate a hundred times smaller, so that what they know is not destroyed."
        ),
        source_url=_BOOK,
        config=replace(_AUGMENTED, frozen_layers=_VGG16_BLOCK5_CONV1, fine_tune_epochs=30),
    ),
    Preset(
        name="vgg16_two_dense",
        title="VGG16: two dense layers, strong augmentation",
        text=(
            "A larger head with L2 penalty and dropout against over-fitting, strong augmentation, then fine-tuning "
            "from the layer block5_conv1 on."
        ),
        config=replace(
            _BOOK_CONFIG,
            image_size=150,
            frozen_layers=_VGG16_BLOCK5_CONV1,
            head=HeadConfig(pooling="flatten", dense_units=(256, 128), dropout=0.3, l2=0.001),
            augmentation=AugmentationConfig(
                horizontal_flip=True, rotation_degrees=40, shift=0.2, shear=0.2, zoom=0.2, fill_mode="nearest"
            ),
            epochs=10,
            fine_tune_epochs=10,
        ),
    ),
    Preset(
        name="vgg16_small_data",
        title="VGG16: very few images",
        text="A small head with BatchNorm and dropout on the frozen VGG16, for a few hundred images in all.",
        config=replace(
            _PUBLISHED,
            backbone="vgg16",
            image_size=224,
            head=HeadConfig(pooling="flatten", dense_units=(64,), batch_norm=True, dropout=0.5),
            batch_size=30,
            learning_rate=1e-4,
        ),
    ),
    Preset(
        name="xception_guide",
        title="Xception: the Keras guide",
        text=(
            "Averaged features of a frozen Xception and one layer on top; then the whole backbone learns with a very "
            "low rate, its BatchNorm layers still in inference mode."
        ),
        source_url=_GUIDE,
        config=replace(
            _PUBLISHED,
            backbone="xception",
            image_size=150,
            frozen_layers=0,
            head=HeadConfig(pooling="average", dropout=0.2),
            augmentation=AugmentationConfig(horizontal_flip=True, rotation_degrees=36),
            fine_tune_epochs=10,
        ),
    ),
    Preset(
        name="mobilenet_quick",
        title="MobileNetV2: small and quick",
        text="One layer on the averaged features of a frozen MobileNetV2: the shortest recipe there is.",
        config=replace(
            _PUBLISHED, backbone="mobilenet_v2", image_size=224, head=HeadConfig(pooling="average", dropout=0.0)
        ),
    ),
)

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {preset.name: replace(preset, config=replace(preset.config, preset=preset.name)) for preset in _ALL}
)
