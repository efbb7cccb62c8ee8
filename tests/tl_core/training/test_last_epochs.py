"""The last epochs of a run, kept beside the best one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.tl_core.small_trainings import QUICK, Trained, probabilities_of
from tl_core.errors import ModelUnavailableError, WorkspaceError
from tl_core.inference.predict import predict_images
from tl_core.inference.predictor import open_predictor
from tl_core.runs import create_run, delete_run, load_run
from tl_core.runs.epoch_checkpoints import BACKBONE, epoch_checkpoints, epoch_file
from tl_core.runs.store import with_more_epochs
from tl_core.runs.watched_images import save_watched_images, watch_dataset_image
from tl_core.training import extend, resume, saving, train
from tl_core.training import run as training_run
from tl_core.training.callbacks import backup, last_epochs

HEAD = {"epochs": 6, "learning_rate": 1e-3}
CUT = {"epochs": 3, "frozen_layers": 15, "fine_tune_epochs": 3, "fine_tune_learning_rate": 1e-4}


@pytest.fixture(autouse=True)
def every_epoch_is_written(monkeypatch):
    monkeypatch.setattr(last_epochs, "WRITE_INTERVAL", 0.0)


def watched_run(workspace, dataset, **settings):
    """A run that waits; what its model in training says about three pictures is told at each epoch."""
    run = create_run(workspace, replace(QUICK, **settings), dataset)
    save_watched_images(
        run.folder, [watch_dataset_image(dataset, record) for record in dataset.of_split("validation")[:3]]
    )
    return run


def trained(run, dataset, should_stop=lambda: False):
    train(run.config, dataset.path, run.path, should_stop)
    return Trained(run.path)


def told(run):
    return {event["epoch"]: np.array(event["probabilities"]) for event in run.of_kind("pinned")}


def said(run, dataset, epoch):
    files = [dataset.path_of(record).read_bytes() for record in dataset.of_split("validation")[:3]]
    return probabilities_of(predict_images(run.record.path, files, epoch))


def numbers(run):
    return [entry.epoch for entry in epoch_checkpoints(run.folder)]


def test_by_default_the_best_epoch_alone_is_kept(shared_run):
    assert not shared_run.folder.epochs_folder.exists()
    with pytest.raises(ModelUnavailableError, match=r"Epoch 2 .* is not kept"):
        open_predictor(shared_run.record.path, 2)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [HEAD, CUT], ids=["head", "fine-tuning"])
def test_each_saved_epoch_predicts_as_the_model_in_training_did(workspace, dataset, settings):
    run = trained(watched_run(workspace, dataset, keep_last_epochs=5, **settings), dataset)
    assert numbers(run) == [2, 3, 4, 5, 6]
    assert run.record.best.phase == run.epochs[-1]["phase"], "else the epochs before fine-tuning test nothing"
    in_training = told(run)
    for epoch in numbers(run):
        assert np.abs(said(run, dataset, epoch) - in_training[epoch]).max() < 2e-4, epoch
    assert np.abs(in_training[2] - in_training[6]).max() > 2e-3, "else the test could not tell them apart"


def test_where_the_backbone_stays_frozen_only_the_head_is_kept(workspace, dataset):
    run = trained(watched_run(workspace, dataset, keep_last_epochs=3, **HEAD), dataset)
    sizes = [epoch_file(run.folder, epoch).stat().st_size for epoch in numbers(run)]
    assert max(sizes) < 0.05 * run.folder.model_file.stat().st_size
    assert not (run.folder.epochs_folder / BACKBONE).exists()


@pytest.mark.slow
def test_older_epochs_make_room_and_so_does_the_backbone_they_need(workspace, dataset):
    run = trained(watched_run(workspace, dataset, keep_last_epochs=2, **CUT), dataset)
    assert numbers(run) == [5, 6]
    assert sorted(path.name for path in run.folder.epochs_folder.iterdir()) == ["5.npz", "6.npz", "epochs.json"]
    with pytest.raises(ModelUnavailableError, match=r"kept epochs \(5, 6\)"):
        open_predictor(run.record.path, 1)


@pytest.mark.slow
def test_epochs_can_predict_while_the_run_still_trains(workspace, dataset):
    run = watched_run(workspace, dataset, keep_last_epochs=3, **CUT)
    answers = {}

    def ask():
        so_far = Trained(run.path)
        for epoch in numbers(so_far):
            if epoch not in answers:
                answers[epoch] = said(so_far, dataset, epoch)
        return False

    run = trained(run, dataset, ask)
    assert answers.keys() >= {1, 2, 3, 4, 5}
    for epoch, rows in answers.items():
        assert np.abs(rows - told(run)[epoch]).max() < 2e-4, epoch


def test_short_epochs_wait_in_memory_and_the_last_are_written_at_the_end(workspace, dataset, monkeypatch):
    written = []
    monkeypatch.setattr(last_epochs, "WRITE_INTERVAL", 3600.0)
    monkeypatch.setattr(last_epochs, "save_epoch", lambda *values: written.append(values[1]) or save_epoch(*values))
    from tl_core.runs.epoch_checkpoints import save_epoch

    run = trained(watched_run(workspace, dataset, keep_last_epochs=2, **HEAD), dataset)
    assert written == [1, 5, 6]
    assert numbers(run) == [5, 6]


def test_a_stopped_run_has_its_last_epochs(workspace, dataset):
    run = watched_run(workspace, dataset, keep_last_epochs=3, epochs=500)
    stopped = trained(run, dataset, lambda: len(Trained(run.path).epochs) >= 4)
    assert stopped.record.status == "stopped"
    assert numbers(stopped) == [2, 3, 4]


@pytest.mark.slow
def test_a_killed_run_goes_on_and_saves_the_same_epochs(workspace, dataset, monkeypatch):
    settings = {**CUT, "fine_tune_epochs": 3, "learning_rate": 1e-3, "keep_last_epochs": 4}
    expected = trained(watched_run(workspace, dataset, **settings), dataset)
    run = watched_run(workspace, dataset, **settings)
    monkeypatch.setattr(backup, "CHECKPOINT_INTERVAL", 0.0)

    def die():
        if len(Trained(run.path).epochs) >= 4:
            raise SystemExit
        return False

    with pytest.raises(SystemExit):
        trained(run, dataset, die)
    resume(load_run(run.path).config, dataset.path, run.path, lambda: False)
    again = Trained(run.path)
    assert numbers(again) == numbers(expected) == [3, 4, 5, 6]
    for epoch in numbers(again):
        assert np.abs(said(again, dataset, epoch) - said(expected, dataset, epoch)).max() < 1e-3


def test_more_epochs_push_out_the_oldest(workspace, dataset):
    run = trained(watched_run(workspace, dataset, keep_last_epochs=3, **HEAD), dataset)
    extend(with_more_epochs(run.record, 2), dataset.path, run.record.path, lambda: False)
    assert numbers(run) == [6, 7, 8]


def test_a_changed_file_is_not_used_and_a_damaged_list_is_none(workspace, dataset):
    run = trained(watched_run(workspace, dataset, keep_last_epochs=2, **HEAD), dataset)
    file = epoch_file(run.folder, 6)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
    with pytest.raises(ModelUnavailableError, match=r"epoch 6 .* damaged"):
        predict_images(run.record.path, [], 6)
    file.unlink()
    with pytest.raises(ModelUnavailableError, match="made room"):
        predict_images(run.record.path, [], 6)
    (run.folder.epochs_folder / "epochs.json").write_text("[{")
    assert epoch_checkpoints(run.folder) == ()


def test_they_go_with_the_run(workspace, dataset):
    run = trained(watched_run(workspace, dataset, keep_last_epochs=2, epochs=1), dataset)
    assert numbers(run) == [1]
    delete_run(run.record.workspace, run.record.id)
    assert not run.folder.epochs_folder.exists()


@pytest.mark.slow
def test_the_disk_space_they_need_is_checked_before_the_training(workspace, dataset, monkeypatch):
    asked = []
    monkeypatch.setattr(training_run, "require_room", lambda path, classifier, more: asked.append(more))
    trained(watched_run(workspace, dataset, epochs=1, keep_last_epochs=0), dataset)
    trained(watched_run(workspace, dataset, epochs=1, keep_last_epochs=4), dataset)
    trained(
        watched_run(workspace, dataset, **{**CUT, "epochs": 1, "fine_tune_epochs": 1}, keep_last_epochs=4), dataset
    )
    none, head, tail = asked
    assert none == 0
    assert 0 < head < tail
    assert tail - head == 5 * 7_079_424 * 4, "block5 of VGG16 four times, and once as it was"

    class Full:
        free = 1000

    monkeypatch.undo()
    monkeypatch.setattr(saving.shutil, "disk_usage", lambda path: Full)
    with pytest.raises(WorkspaceError, match="needs"):
        trained(watched_run(workspace, dataset, epochs=1, keep_last_epochs=4), dataset)
