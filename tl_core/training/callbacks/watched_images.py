"""What the model in training says about the pinned pictures, epoch by epoch.

The frozen layers look at them once per stage; after an epoch only the trained part is asked, in inference mode. No
graph is compiled for so few images, nothing random is drawn, and a run without pinned pictures does none of it.
"""

from __future__ import annotations

import tensorflow as tf

from tl_core.errors import ImageError
from tl_core.features.partition import Partition
from tl_core.models.probabilities import Probabilities, as_class_probabilities
from tl_core.runs import RunFolder
from tl_core.runs.watched_images import Images, read_pictures, watched_images
from tl_core.training.callbacks.event_log import Reporter


class WatchedPictures:
    """The pinned pictures in front of one stage of the training."""

    def __init__(self, images: Images, partition: Partition) -> None:
        self._trained = partition.trained
        seen = [tf.constant(images)] if partition.frozen is None else partition.frozen(tf.constant(images))
        self._inputs = [tf.cast(tensor, tf.float32) if tensor.dtype.is_integer else tensor for tensor in seen]

    def ask(self) -> Probabilities:
        """Class probabilities ``(pictures, classes)`` of the model as it is now."""
        return as_class_probabilities(self._trained(self._inputs, training=False).numpy())


def read_watched(folder: RunFolder, size: int, reporter: Reporter) -> Images | None:
    """The pinned pictures of a run as its network sees them; None where there are none.

    A picture that cannot be read is no reason not to train: it is said, and none is watched.
    """
    pictures = watched_images(folder)
    if not pictures:
        return None
    try:
        return read_pictures(pictures, size)
    except ImageError as error:
        reporter.note(f"The pinned pictures are left out: {error}")
        return None
