"""Loading the model of a run from its checkpoint files, which must be those that the training wrote."""

from __future__ import annotations

import keras

from tl_core.errors import ModelUnavailableError
from tl_core.models.classifier import split_classifier
from tl_core.models.weights import put_weights
from tl_core.runs import RunRecord
from tl_core.runs.epoch_checkpoints import read_epoch
from tl_core.storage.files import sha256_of


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
