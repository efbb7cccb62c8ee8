"""Whatever breaks a training in the middle: a sentence, the best epoch is kept, and it can go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.faults.killed_trainings import damage_of
from tests.tl_core.jobs.waiting import wait_until_idle
from tests.tl_core.small_trainings import Trained
from tl_core.errors import ImageError, OutOfMemoryError
from tl_core.jobs import manager
from tl_core.training import data, epoch_runner

PATIENCE = 120  # seconds
EPOCHS = 5


def out_of_memory() -> Exception:
    return tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


def failing(original: Callable[..., Any], error: Callable[[], Exception], at: int) -> Callable[..., Any]:
    """The function, broken at one of its calls and well again afterwards."""
    calls = iter(range(1, 1_000_000))

    def call(*arguments: Any, **options: Any) -> Any:
        if next(calls) == at:
            raise error()
        return original(*arguments, **options)

    return call


def require_best_kept_and_resumed(workspace, path, told: int) -> None:
    """The record holds the best of the epochs that were told, and *Resume* trains the rest."""
    run = Trained(path)
    assert run.record.status == "failed"
    assert len(run.epochs) == told
    assert damage_of(run.record) is None
    best = min(run.epochs, key=lambda event: event["val_loss"])
    assert run.record.has_model
    assert run.record.best.epoch == best["epoch"]
    jobs = manager(workspace)
    jobs.resume(run.record.id)
    wait_until_idle(jobs, PATIENCE)
    again = Trained(path)
    assert again.record.status == "done"
    assert again.record.error is None
    assert [event["epoch"] for event in again.epochs] == list(range(1, EPOCHS + 1))
    assert damage_of(again.record) is None


@pytest.mark.slow
@pytest.mark.parametrize("function", ["train_epoch", "evaluate"])
def test_out_of_memory_in_an_epoch(workspace, dataset, train_run, function):
    with pytest.MonkeyPatch.context() as patch:
        broken = failing(getattr(epoch_runner.EpochRunner, function), out_of_memory, 3)
        patch.setattr(epoch_runner.EpochRunner, function, broken)
        with pytest.raises(OutOfMemoryError, match="smaller batch size"):
            train_run(dataset, epochs=EPOCHS, batch_size=1)
    assert "smaller batch size" in Trained(train_run.path).record.error
    require_best_kept_and_resumed(workspace, train_run.path, told=2)


@pytest.mark.slow
def test_out_of_memory_while_the_best_model_is_measured(workspace, dataset, train_run):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            epoch_runner.EpochRunner,
            "evaluate",
            failing(epoch_runner.EpochRunner.evaluate, out_of_memory, EPOCHS + 1),
        )
        with pytest.raises(OutOfMemoryError, match="smaller batch size"):
            train_run(dataset, epochs=EPOCHS)
    require_best_kept_and_resumed(workspace, train_run.path, told=EPOCHS)


def test_out_of_memory_while_the_features_are_computed(dataset, train_run, monkeypatch):
    monkeypatch.setattr(data, "compute_features", failing(data.compute_features, out_of_memory, 1))
    with pytest.raises(OutOfMemoryError, match="smaller batch size"):
        train_run(dataset, epochs=EPOCHS)
    assert not Trained(train_run.path).record.has_model


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [
        lambda: ImageError("The image 7.png is damaged: import the dataset again."),
        lambda: tf.errors.InternalError(None, None, "cuDNN error"),
        lambda: RuntimeError("the driver has gone"),
    ],
    ids=["a damaged image", "a device", "anything else"],
)
def test_any_error_in_mid_run_keeps_the_best_epoch(workspace, dataset, train_run, error):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            epoch_runner.EpochRunner, "train_epoch", failing(epoch_runner.EpochRunner.train_epoch, error, 4)
        )
        with pytest.raises(type(error())):
            train_run(dataset, epochs=EPOCHS)
    require_best_kept_and_resumed(workspace, train_run.path, told=3)
