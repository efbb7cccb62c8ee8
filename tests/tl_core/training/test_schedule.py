"""The learning rate falls over the epochs that are planned, whatever happens to the size of a batch."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tl_core.training import epoch_runner

EPOCHS = 8


@pytest.fixture
def small_memory(monkeypatch):
    """No more than four images fit, from a certain epoch on."""
    original = epoch_runner.EpochRunner.train_epoch
    whole = []

    def train_epoch(self, examples, order, batch_size, report):
        whole.append(batch_size)
        if batch_size > 4 and len(whole) > small_memory.after:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return original(self, examples, order, batch_size, report)

    monkeypatch.setattr(epoch_runner.EpochRunner, "train_epoch", train_epoch)
    return small_memory


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 3], ids=["from the start", "from the fourth epoch on"])
def test_after_a_batch_is_halved_the_rate_falls_over_all_epochs(train_run, dataset, small_memory, after):
    small_memory.after = 1000
    planned = train_run(dataset, batch_size=8, epochs=EPOCHS, schedule="cosine").curve("learning_rate")
    small_memory.after = EPOCHS + after
    run = train_run(dataset, batch_size=8, epochs=EPOCHS, schedule="cosine")
    assert [note for note in run.notes if "4 images per batch" in note]
    assert run.curve("learning_rate") == pytest.approx(planned, rel=1e-3)
