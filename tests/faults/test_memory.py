"""Memory that runs out in a batch, and memory that many trainings in one process leave behind."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from collections.abc import Callable

import numpy as np
import psutil
import pytest
import tensorflow as tf

from tests.faults.killed_trainings import damage_of
from tests.tl_core.small_trainings import Trained
from tl_core.errors import OutOfMemoryError
from tl_core.training import epoch_runner

MORE_THAN_THERE_IS = 1 << 46  # numbers: 256 TB, so that TensorFlow refuses it on any machine without touching memory
GROWTH = 6 << 20  # bytes per training: 300 MB in 50
GROWTH_OF_50 = 300 << 20  # bytes
NOISE = 64 << 20  # bytes: room for one model that C has freed and not given back
LEFT = 80 << 20  # bytes that a careless training leaves behind: a model or two
SETTLED_AFTER = 2  # trainings: what stays once is no growth


def require_out_of_memory_and_on(train_run, dataset) -> None:
    """Each batch takes more than there is; the training after it is as if nothing had been."""
    tried = []
    original = epoch_runner.EpochRunner.train_epoch

    def greedy(self, examples, order, batch_size, report):
        tried.append(batch_size)
        return tf.zeros([MORE_THAN_THERE_IS]) and original(self, examples, order, batch_size, report)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epoch_runner.EpochRunner, "train_epoch", greedy)
        with pytest.raises(OutOfMemoryError, match="smaller batch size"):
            train_run(dataset, batch_size=8)
    assert tried == [8, 4]
    assert Trained(train_run.path).record.status == "failed"
    after = train_run(dataset, epochs=2)
    assert after.record.status == "done"
    assert damage_of(after.record) is None


@pytest.mark.slow
def test_after_memory_has_run_out_the_next_training_works(train_run, dataset):
    require_out_of_memory_and_on(train_run, dataset)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_after_memory_has_run_out_the_next_training_works_10_times(train_run, dataset):
    for _ in range(10):
        require_out_of_memory_and_on(train_run, dataset)


def grown(trainings: int, train: Callable[[], object]) -> int:
    """Bytes of resident memory that so many trainings leave behind, after the first few."""
    for _ in range(SETTLED_AFTER):
        train()
    process = psutil.Process(os.getpid())
    before = _resident(process)
    for _ in range(trainings):
        train()
    return _resident(process) - before


def _resident(process: psutil.Process) -> int:
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
    return process.memory_info().rss


SHORT = {"epochs": 2, "frozen_layers": 15, "fine_tune_epochs": 1, "fine_tune_learning_rate": 1e-5}


@pytest.mark.slow
def test_a_few_trainings_leave_little_memory_behind(train_run, dataset):
    assert grown(4, lambda: train_run(dataset, **SHORT)) < 4 * GROWTH + NOISE


@pytest.mark.long
@pytest.mark.timeout(900)
def test_50_trainings_leave_little_memory_behind(train_run, dataset, say):
    growth = grown(50, lambda: train_run(dataset, **SHORT))
    say(f"{growth / 1e6:.0f} MB more after 50 trainings")
    assert growth < GROWTH_OF_50


@pytest.mark.slow
def test_memory_that_a_training_leaves_behind_is_noticed(train_run, dataset):
    left = []

    def careless():
        train_run(dataset, epochs=1)
        left.append(np.ones(LEFT, np.uint8))  # always new memory, where a model may get what another one has freed

    assert grown(2, careless) > 2 * GROWTH + NOISE
