"""However a training ends, its record says so and what was good is kept."""

import dataclasses
import gc

import keras
import pytest
import tensorflow as tf

from tests.tl_core.small_trainings import Trained
from tl_core.config import AUGMENTATION_LEVELS, HeadConfig
from tl_core.errors import (
    ConfigError,
    DivergedError,
    ImageError,
    NotEnoughDataError,
    OutOfMemoryError,
    StoppedError,
    WorkspaceError,
)
from tl_core.runs import load_run, read_events
from tl_core.storage.files import sha256_of
from tl_core.training import epoch_runner, saving
from tl_core.training import run as training_run
from tl_core.training.callbacks import best_model
from tl_core.training.losses import Loss


def epochs_told(run_path):
    return sum(event["kind"] == "epoch" for event in read_events(load_run(run_path).folder.events_file))


def test_stop_keeps_the_best_epoch_so_far_as_a_usable_model(train_run, dataset):
    run = train_run(dataset, lambda path: epochs_told(path) >= 2, epochs=500)
    assert run.record.status == "stopped"
    assert 2 <= len(run.epochs) < 10
    assert run.record.best.epoch <= len(run.epochs)
    model = keras.models.load_model(run.folder.model_file)
    assert model.output_shape == (None, 3)
    assert run.record.model_sha256 == sha256_of(run.folder.model_file)
    assert run.events[-1]["status"] == "stopped"


def test_stop_during_validation_ends_the_epoch(train_run, dataset, monkeypatch):
    validating = []
    original = epoch_runner.EpochRunner.evaluate

    def evaluate(self, examples, **options):
        validating.append(True)
        return original(self, examples, **options)

    monkeypatch.setattr(epoch_runner.EpochRunner, "evaluate", evaluate)
    run = train_run(dataset, lambda path: len(validating) >= 3, epochs=50)
    assert run.record.status == "stopped"
    assert len(run.epochs) == 2  # the third was learned, but not checked


@pytest.mark.parametrize("moment", ["at once", "while images are prepared", "in the first epoch"])
def test_stop_before_the_first_epoch_leaves_no_model(train_run, workspace, dataset, moment):
    phase = {"at once": "prepare", "while images are prepared": "features", "in the first epoch": "head"}[moment]

    def should_stop(path):
        return any(event.get("phase") == phase for event in read_events(load_run(path).folder.events_file))

    with pytest.raises(StoppedError, match="no model"):
        train_run(dataset, should_stop, epochs=50, image_size=40 if phase == "features" else 32)
    run = Trained(train_run.path)
    assert run.record.status == "stopped"
    assert run.record.error is None
    assert not run.record.has_model
    assert not list(workspace.cache.glob(".making-*"))


@pytest.mark.slow
def test_stop_while_fine_tuning_keeps_the_better_of_both_phases(train_run, dataset):
    run = train_run(
        dataset, lambda path: epochs_told(path) >= 3, frozen_layers=15, epochs=2, fine_tune_epochs=300,
        fine_tune_learning_rate=1e-5,
    )  # fmt: skip
    assert run.record.status == "stopped"
    assert run.record.best.val_loss == pytest.approx(min(run.curve("val_loss")), abs=1e-5)


DIVERGING = HeadConfig(dense_units=(512, 512, 512), activation="linear", dropout=0.0, feature_normalization="batch")


def test_a_diverging_run_fails_with_advice(train_run, dataset):
    with pytest.raises(DivergedError, match=r"lower learning rate, for instance 0\.1 in place of 1"):
        train_run(dataset, optimizer="sgd", learning_rate=1.0, epochs=50, head=DIVERGING)
    run = Trained(train_run.path)
    assert run.record.status == "failed"
    assert "lower learning rate" in run.record.error
    assert run.record.has_model == bool(run.epochs)


@pytest.mark.slow
def test_divergence_after_a_good_epoch_keeps_its_model(train_run, dataset):
    with pytest.raises(DivergedError, match="fine-tuning learning rate"):
        train_run(
            dataset, optimizer="sgd", learning_rate=1e-3, frozen_layers=0, epochs=2, fine_tune_epochs=50,
            fine_tune_learning_rate=1.0, head=DIVERGING,
        )  # fmt: skip
    run = Trained(train_run.path)
    assert run.record.status == "failed"
    assert run.record.best.phase == "head"
    model = keras.models.load_model(run.folder.model_file)
    assert all(tf.reduce_all(tf.math.is_finite(weight.value)) for weight in model.weights)


def test_a_loss_that_is_not_finite_ends_the_epoch_at_that_batch(train_run, dataset, monkeypatch):
    steps = []
    original = Loss.losses

    def broken(self, labels, probabilities):
        tf.py_function(lambda: steps.append(1), [], [])
        return original(self, labels, probabilities) * float("nan")

    monkeypatch.setattr(Loss, "losses", broken)
    with pytest.raises(DivergedError):
        train_run(dataset, batch_size=1)
    assert len(steps) == 1


def exhausted(*_arguments):
    raise tf.errors.ResourceExhaustedError(None, None, "out of memory")


def test_a_batch_that_does_not_fit_is_tried_once_more_at_half_size(train_run, dataset, monkeypatch):
    original = epoch_runner.EpochRunner.train_epoch

    def small_memory(self, examples, order, batch_size, report):
        return exhausted() if batch_size > 4 else original(self, examples, order, batch_size, report)

    monkeypatch.setattr(epoch_runner.EpochRunner, "train_epoch", small_memory)
    run = train_run(dataset, batch_size=8, epochs=2)
    assert run.record.status == "done"
    assert [note for note in run.notes if "4 images per batch" in note]


def test_a_batch_that_never_fits_ends_in_a_sentence(train_run, dataset, monkeypatch):
    monkeypatch.setattr(epoch_runner.EpochRunner, "train_epoch", lambda self, *arguments: exhausted())
    with pytest.raises(OutOfMemoryError, match="smaller batch size"):
        train_run(dataset, batch_size=8)
    assert Trained(train_run.path).record.status == "failed"


def test_no_room_on_the_disk_is_said_before_the_training(train_run, dataset, monkeypatch):
    usage = saving.shutil.disk_usage("/")
    monkeypatch.setattr(saving.shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with pytest.raises(WorkspaceError, match="1 MB free"):
        train_run(dataset)
    assert Trained(train_run.path).epochs == []


def test_more_frozen_layers_than_there_are_is_said(train_run, dataset):
    with pytest.raises(ConfigError, match="19 layers"):
        train_run(dataset, frozen_layers=20, fine_tune_epochs=1)
    assert "19 layers" in Trained(train_run.path).record.error


def test_a_dataset_without_validation_images_is_refused(train_run, dataset, monkeypatch):
    without = dataclasses.replace(dataset, images=dataset.of_split("train"))
    monkeypatch.setattr(training_run, "dataset_of", lambda record, path: without)
    with pytest.raises(NotEnoughDataError, match="no validation images"):
        train_run(dataset)


def test_a_damaged_image_is_named(train_run, workspace, dataset):
    file = dataset.path_of(dataset.images[0])
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    try:
        with pytest.raises(ImageError, match="import the dataset again"):
            train_run(dataset, image_size=48)
    finally:
        file.write_bytes(data)


def test_an_unexpected_error_is_in_the_log_and_not_on_the_page(train_run, dataset, monkeypatch):
    def broken(*_arguments):
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(training_run, "prepare_phase", broken)
    with pytest.raises(RuntimeError):
        train_run(dataset)
    run = Trained(train_run.path)
    assert run.record.status == "failed"
    assert "secret" not in run.record.error
    assert "secret" not in run.events[-1]["text"]
    assert "a secret detail" in run.folder.log_file.read_text()


@pytest.mark.slow
def test_the_best_model_is_on_the_disk_before_the_end(train_run, dataset, monkeypatch):
    monkeypatch.setattr(best_model, "MODEL_INTERVAL", 0.0)
    seen = []

    def look(path):
        run = load_run(path)
        if run.has_model and run.status == "running" and run.best is not None:
            seen.append(sha256_of(run.folder.model_file) == run.model_sha256)
        return False

    train_run(dataset, look, epochs=3)
    assert seen
    assert all(seen)


@pytest.mark.slow
def test_a_failed_write_leaves_the_last_good_model(train_run, dataset, monkeypatch):
    run = train_run(dataset, epochs=1)
    before = run.folder.model_file.read_bytes()

    def torn(self, path, *arguments, **options):
        path.write_bytes(b"half a mod")
        raise OSError(28, "No space left on device")

    model = keras.models.load_model(run.folder.model_file)
    monkeypatch.setattr(keras.Model, "save", torn)
    with pytest.raises(WorkspaceError, match="No space left"):
        saving.save_model(run.folder.model_file, model)
    assert run.folder.model_file.read_bytes() == before
    assert not list(run.folder.path.glob(".writing-*"))


@pytest.mark.slow
def test_a_finished_training_leaves_no_graph_and_no_model_in_memory(train_run, dataset):
    def count():
        gc.collect()
        return sum(isinstance(thing, (tf.Graph, keras.Model)) for thing in gc.get_objects())

    settings = {"epochs": 1, "frozen_layers": 15, "fine_tune_epochs": 1, "augmentation": AUGMENTATION_LEVELS["light"]}
    train_run(dataset, **settings)
    before = count()
    train_run(dataset, **settings)
    assert count() <= before
