"""A run as TensorBoard's own reader finds it."""

from __future__ import annotations

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from tl_core.runs.tracking.settings import TENSORBOARD
from tl_core.training.callbacks import tensorboard


def scalars(folder, name):
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return {event.step: float(tensor_util.make_ndarray(event.tensor_proto)) for event in reader.Tensors(name)}


def test_every_epoch_is_in_the_log_as_in_the_run(train_run, dataset, tmp_path, monkeypatch):
    monkeypatch.setenv(TENSORBOARD, str(tmp_path / "logs"))
    run = train_run(dataset, epochs=2)
    logs = tmp_path / "logs" / run.record.id
    for part, prefix in (("train", ""), ("validation", "val_")):
        for measure in ("loss", "accuracy"):
            expected = {event["epoch"]: event[prefix + measure] for event in run.epochs}
            assert scalars(logs / part, f"epoch_{measure}") == pytest.approx(expected, rel=1e-5)
    assert len(scalars(logs / "train", "epoch_learning_rate")) == 2


def test_what_stands_against_it_is_told_once_and_stops_no_training(train_run, dataset, tmp_path, monkeypatch):
    (tmp_path / "logs").write_text("a file")
    monkeypatch.setenv(TENSORBOARD, str(tmp_path / "logs"))
    run = train_run(dataset, epochs=2)
    assert run.record.status == "done"
    assert len([text for text in run.notes if text.startswith("TensorBoard gets nothing of this run")]) == 1


def test_without_the_package_a_sentence_says_what_to_install(train_run, dataset, tmp_path, monkeypatch):
    monkeypatch.setenv(TENSORBOARD, str(tmp_path / "logs"))
    monkeypatch.setattr(tensorboard, "find_spec", lambda _: None)
    run = train_run(dataset, epochs=1)
    assert any("“pip install tensorboard”" in text for text in run.notes)
    assert not (tmp_path / "logs").exists()
