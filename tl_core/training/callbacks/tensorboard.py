"""The epochs of a run for TensorBoard, written while it trains, into a folder that the environment names.

The names are those of Keras' own callback (``epoch_loss``, ``epoch_accuracy``, ``epoch_learning_rate``, in *train*
and *validation*), so that runs of this dashboard stand beside those of any other program.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import tensorflow as tf

from tl_core.training.trainer import Callback, EpochLogs, Trainer


class TensorBoard(Callback):
    """Writes the epochs of one run.

    Args:
        folder: of this run, below that of all logs.
        settings: the configuration, shown as text.
    """

    def __init__(self, folder: Path, settings: str) -> None:
        self._folder = folder
        self._settings = settings
        self._writers: dict[str, Any] = {}
        self._broken = False

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        """Write the epoch; what stands against it is told once, and stops nothing."""
        if self._broken:
            return
        if find_spec("tensorboard") is None:  # TensorFlow's summaries come from it
            self._broken = True
            trainer.note("TensorBoard gets nothing of this run, as it is not installed: “pip install tensorboard”.")
            return
        measured = {
            "train": {
                "epoch_loss": logs.train.loss,
                "epoch_accuracy": logs.train.accuracy,
                "epoch_learning_rate": logs.learning_rate,
            },
            "validation": {"epoch_loss": logs.validation.loss, "epoch_accuracy": logs.validation.accuracy},
        }
        try:
            for part, values in measured.items():
                self._write(part, epoch, values)
        except (OSError, tf.errors.OpError) as error:
            self._broken = True
            trainer.note(f"TensorBoard gets nothing of this run, because {self._folder} cannot be written: {error}")

    def on_train_end(self, trainer: Trainer) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()

    def _write(self, part: str, epoch: int, values: dict[str, float]) -> None:
        if part not in self._writers:
            self._writers[part] = tf.summary.create_file_writer(str(self._folder / part))
            if part == "train":
                with self._writers[part].as_default(step=epoch):
                    tf.summary.text("settings", f"```\n{self._settings}\n```")
        with self._writers[part].as_default(step=epoch):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._writers[part].flush()
