"""Files of every version open: an older one is brought up to date, a newer one is said to be newer."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from tests.tl_core.runs.conftest import FakeDataset
from tests.tl_core.small_trainings import COLOURS, coloured, import_coloured
from tl_core.command_line import main
from tl_core.config import TrainingConfig, training
from tl_core.data import dataset as datasets
from tl_core.data import find_dataset, list_datasets
from tl_core.errors import ConfigError, NewerVersionError
from tl_core.imported_models import store as models
from tl_core.imported_models.store import list_imported_models, load_imported_model
from tl_core.inference.calibration import Calibration, load_calibration, save_calibration
from tl_core.runs import annotate_run, create_run, find_run, list_runs, update_run
from tl_core.runs import store as runs
from tl_core.runs.epoch_checkpoints import epoch_checkpoints, save_epoch, save_epoch_list
from tl_core.runs.watched_images import save_watched_images, watch_upload, watched_images
from tl_core.storage.schemas import Schema
from tl_core.storage.workspace import Workspace
from ui.state.config_text import from_text, to_text

NEWER = "was written by a newer version of this program, so it cannot be opened here: update this program"


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "workspace").ensure()


def change(path, edit: Callable[[dict], None]):
    values = json.loads(path.read_text("utf-8"))
    edit(values)
    path.write_text(json.dumps(values), "utf-8")


def test_migrations_are_applied_in_their_order_from_the_version_of_the_file():
    schema = Schema("run", (lambda values: {**values, "two": 2}, lambda values: {"three": values["two"] + 1}))
    assert schema.version == 3
    assert schema.upgraded({}) == {"three": 3}, "without a version it is the first"
    assert schema.upgraded({"version": 1}) == {"three": 3}
    assert schema.upgraded({"version": 2, "two": 7}) == {"three": 8}
    assert schema.upgraded(schema.stamped({"three": 3})) == {"three": 3}
    with pytest.raises(NewerVersionError, match=NEWER):
        schema.upgraded({"version": 4})
    assert schema.upgraded([1]) == [1]
    assert schema.upgraded_list([1]) == [1], "before lists had a version"
    assert schema.upgraded_list({"version": 3, "entries": [1]}) == [1]


def test_a_setting_can_be_renamed_and_old_runs_and_files_still_open(workspace, monkeypatch, tmp_path):
    """Until now one renamed setting made every run before it damaged and invisible."""
    run = create_run(workspace, TrainingConfig(learning_rate=0.5), FakeDataset())
    saved = to_text(run.config)

    def of_before(values):  # as if the rate had been called `rate` when these files were written
        values["rate"] = values.pop("learning_rate")

    change(run.folder.record_file, lambda values: of_before(values["config"]))
    old = json.loads(saved)
    of_before(old)
    file = tmp_path / "old.json"
    file.write_text(json.dumps(old), "utf-8")

    assert list_runs(workspace) == []
    with pytest.raises(ConfigError, match="unknown setting: rate"):
        from_text(json.dumps(old))

    def rename(values):
        return {("learning_rate" if name == "rate" else name): value for name, value in values.items()}

    migrations = (*training.CONFIGURATION.migrations, rename)
    monkeypatch.setattr(training, "CONFIGURATION", Schema("configuration", migrations))
    assert find_run(workspace, run.id) == run
    assert from_text(json.dumps(old)) == run.config
    assert from_text(saved) == run.config, "a part pasted without the old name is no worse"
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    assert main(["train", "--data", "nowhere", "--config", str(file)]) == 2
    update_run(run.path, device="a CPU")  # written anew, in the form of today
    values = json.loads(run.folder.record_file.read_text("utf-8"))
    assert (values["config"]["version"], values["config"]["learning_rate"]) == (len(migrations) + 1, 0.5)
    assert find_run(workspace, run.id).config == run.config


def test_a_field_of_a_record_can_be_renamed(workspace, monkeypatch):
    run = create_run(workspace, TrainingConfig(), FakeDataset())
    dataset = import_coloured(workspace, COLOURS, 4)
    change(run.folder.record_file, lambda values: values.update(machine=values.pop("device")))
    change(dataset.path / "manifest.json", lambda values: values.update(title=values.pop("name")))
    assert find_run(workspace, run.id) == run, "what is left out takes its default"
    assert list_datasets(workspace) == []

    def rename(before, now):
        return lambda values: {(now if name == before else name): value for name, value in values.items()}

    monkeypatch.setattr(runs, "RUN", Schema("run", (rename("machine", "device"),)))
    migrations = (*datasets.DATASET.migrations, rename("title", "name"))
    monkeypatch.setattr(datasets, "DATASET", Schema("dataset", migrations))
    datasets._read.cache_clear()
    assert find_run(workspace, run.id) == run
    assert find_dataset(workspace, dataset.id) == dataset


def test_a_penalty_that_had_no_effect_has_none_when_the_training_is_opened_again():
    """Until version 2 it was on hidden layers alone; since then it is on the output where there are none."""
    plain, hidden = {"head": {"l2": 0.01, "dense_units": []}}, {"head": {"l2": 0.01, "dense_units": [8]}}
    assert TrainingConfig.from_file(plain).head.l2 == 0.0
    assert TrainingConfig.from_file(hidden).head.l2 == 0.01
    assert TrainingConfig.from_file({"version": 2, **plain}).head.l2 == 0.01
    assert TrainingConfig.from_file({"head": {"l2": 0.01}}).head.l2 == 0.0


def newer(values):
    values["version"] = 99


@pytest.mark.parametrize("part", ["run.json", "annotations.json", "config"])
def test_a_run_of_a_newer_version_is_not_said_to_be_damaged(workspace, caplog, part):
    run = create_run(workspace, TrainingConfig(), FakeDataset())
    annotate_run(workspace, run.id, notes="mine")
    file = run.folder.annotations_file if part == "annotations.json" else run.folder.record_file
    change(file, lambda values: newer(values["config"] if part == "config" else values))
    before = file.read_bytes()
    with pytest.raises(NewerVersionError, match=NEWER):
        find_run(workspace, run.id)
    assert list_runs(workspace) == []
    assert NEWER in caplog.text
    for write in (lambda: annotate_run(workspace, run.id, notes="lost"), lambda: update_run(run.path, device="lost")):
        with pytest.raises(NewerVersionError):
            write()
    assert file.read_bytes() == before


def test_the_files_beside_a_run_have_a_version_and_open_without_one(workspace):
    run = create_run(workspace, TrainingConfig(), FakeDataset())
    save_calibration(workspace, run, Calibration(model_sha256="a", threshold=0.5))
    save_epoch_list(run.folder, [save_epoch(run.folder, 3, "head", 0.5, {"head/0": np.zeros(1)})])
    save_watched_images(run.folder, [watch_upload("red.png", coloured(COLOURS["red"], 1))])
    files = {
        run.folder.calibration_file: lambda: load_calibration(run.folder, "a"),
        run.folder.epochs_folder / "epochs.json": lambda: epoch_checkpoints(run.folder),
        run.folder.watched_images_folder / "pictures.json": lambda: watched_images(run.folder),
    }
    for file, read in files.items():
        before, written = read(), json.loads(file.read_text("utf-8"))
        assert written.pop("version") == 1
        file.write_text(json.dumps(written.get("entries", written)), "utf-8")  # as before it had a version
        assert read() == before
        file.write_text('{"version": 99}', "utf-8")
        with pytest.raises(NewerVersionError, match=NEWER):
            read()


def test_a_dataset_of_a_newer_version_is_not_said_to_be_damaged(workspace, caplog):
    dataset = import_coloured(workspace, COLOURS, 4)
    change(dataset.path / "manifest.json", newer)
    with pytest.raises(NewerVersionError, match=f"This dataset {NEWER}"):
        find_dataset(workspace, dataset.id)
    assert list_datasets(workspace) == []
    assert NEWER in caplog.text


def test_an_imported_model_of_a_newer_version_is_not_said_to_be_gone(workspace):
    model_id = "a-model-" + "0" * 32
    folder = workspace.models / model_id
    folder.mkdir()
    (folder / models.RECORD).write_text('{"version": 99}', "utf-8")
    with pytest.raises(NewerVersionError, match=f"This model {NEWER}"):
        load_imported_model(workspace, model_id)
    assert list_imported_models(workspace) == []


def test_settings_of_a_newer_version_are_not_said_to_be_wrong():
    with pytest.raises(NewerVersionError, match=f"This configuration {NEWER}"):
        from_text('{"version": 3, "epochs": 3}')


@pytest.mark.parametrize("version", [0, -1, 1.5, "2", None, [1]])
def test_a_version_that_nobody_writes_is_damage(workspace, version):
    run = create_run(workspace, TrainingConfig(), FakeDataset())
    change(run.folder.record_file, lambda values: values["config"].update(version=version))
    assert list_runs(workspace) == []
