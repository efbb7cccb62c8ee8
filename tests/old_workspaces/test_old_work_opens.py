"""What an earlier version has written opens, predicts, is measured, resumes and goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.old_workspaces import today
from tests.old_workspaces.answers import Values, ask, predict, processor
from tests.old_workspaces.conftest import Old
from tests.old_workspaces.small_weights import small_weights
from tl_core.export.exporting import list_exports
from tl_core.imported_models.importing import import_model
from tl_core.runs import read_events
from tl_core.storage.passcode import StoredHash

Copy = Callable[..., Path]


def rarely(*values: Any) -> Any:
    """A case that differs little from those that are tested every time; the long tests have it."""
    return pytest.param(*values, marks=pytest.mark.long)


WITH_MODEL = (
    "Head alone",
    "Two classes, everything frozen",
    "Quick start",
    "Killed before its record knew the model",
    rarely("Two phases"),
    rarely("Failed with a model"),
    rarely("Stopped in mid-run"),
)
RESUMED = (
    "Killed while the head learned",
    "Killed while fine-tuning",
    rarely("Killed while it waited"),
    rarely("Killed before its first epoch"),
    rarely("Killed with flushed checkpoints"),
    rarely("Killed while its model was written"),
    rarely("Killed before its record knew the model"),
    rarely("Given up because it hung"),
    rarely("Resumed and stopped before it went on"),
)


def assert_holds(found: Any, expected: Any, tolerance: float = 1e-6, place: str = "") -> None:
    """Check that everything expected is found; what is new since then may stand beside it."""
    if isinstance(expected, dict):
        assert expected.keys() <= found.keys(), place
        for name, value in expected.items():
            assert_holds(found[name], value, tolerance, f"{place}/{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_holds(one, other, tolerance, f"{place}/{number}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=tolerance), place
    else:
        assert found == expected, place


def rounding(old: Old) -> float:
    """How far figures may differ: on another processor sums are rounded in another way."""
    return 1e-5 if processor() == old.expected["processor"] else 1e-3


# --- runs -----------------------------------------------------------------------------------------------------------


def test_every_run_is_listed_with_its_status_and_outcome(old: Old):
    assert_holds(ask(old.folder, "runs"), old.expected["runs"])
    assert_holds(ask(old.folder, "runs", "--tag", "keep"), old.expected["tagged"])


def test_no_run_is_held_by_a_process_that_still_works(old: Old):
    for run_id in old.expected["names"].values():
        owner = today.run_of(old.folder, run_id).owner
        if owner is not None and psutil.pid_exists(owner.pid):
            assert abs(psutil.Process(owner.pid).create_time() - owner.started) > 2


def test_every_run_has_its_settings(old: Old):
    expected = old.expected["compared"]["runs"]
    assert len(expected) == len(old.expected["names"])
    found = ask(old.folder, "compare", *(run["run_id"] for run in expected))
    assert_holds(found["runs"], expected)


def test_every_run_has_its_record_progress_annotations_and_kept_epochs(old: Old):
    for run_id, expected in old.expected["records"].items():
        del expected["status_on_disk"]
        assert_holds(today.record_of(old.folder, run_id), json.loads(json.dumps(expected)), place=run_id)


def test_every_checkpoint_can_be_read(old: Old):
    for run_id, expected in old.expected["checkpoints"].items():
        assert_holds(today.checkpoint_of(old.folder, run_id), expected, place=run_id)


@pytest.mark.parametrize("name", WITH_MODEL)
def test_a_run_predicts_what_it_has_predicted(old: Old, name: str):
    run_id = old.run_id(name)
    assert_holds(predict(old.folder, run_id), old.expected["predictions"][run_id], rounding(old))


@pytest.mark.parametrize("epoch", ["2", rarely("4")], ids=["of the head", "of fine-tuning"])
def test_a_kept_epoch_predicts_what_it_has_predicted(old: Old, epoch: str):
    run_id = old.run_id("Two phases")
    expected = old.expected["predictions_of_epochs"][run_id][epoch]
    assert_holds(predict(old.folder, run_id, "--epoch", epoch), expected, rounding(old))


def without_precision_of_nothing(evaluation: Values) -> Values:
    """An evaluation of 0c3776b, which gave the precision of a class that is never answered as 0: it is unknown."""
    answers = [sum(column) for column in zip(*evaluation["confusion"], strict=True)]
    rows = zip(evaluation["per_class"], answers, strict=True)
    per_class = [row if count else {**row, "precision": None} for row, count in rows]
    return {**evaluation, "per_class": per_class}


def test_every_kept_evaluation_is_found(old: Old):
    kept = [path.parent.name for path in old.folder.glob("workspace/runs/*/evaluation-validation.npz")]
    assert len(kept) >= 6
    for run_id in kept:
        for split, expected in old.expected["evaluations"][run_id].items():
            found = ask(old.folder, "evaluate", run_id, "--split", split)
            assert_holds(found, without_precision_of_nothing(expected), rounding(old))


@pytest.mark.slow
def test_an_evaluation_that_is_made_again_comes_to_the_same(old: Old, copy_of: Copy):
    run_id = old.run_id("Head alone")
    folder = copy_of(run_id)
    for kept in (folder / "workspace" / "runs" / run_id).glob("evaluation-*.npz"):
        kept.unlink()
    found = ask(folder, "evaluate", run_id, "--split", "test")
    assert_holds(found, old.expected["evaluations"][run_id]["test"], rounding(old))


def test_an_export_is_still_offered_and_is_imported_again(old: Old, tmp_path: Path):
    (export,) = list_exports(today.run_of(old.folder, old.run_id("Head alone"))).values()
    assert export.format == "keras"
    assert export.proof.passed
    model = import_model(today.workspace_of(tmp_path), export.path, "keras.zip")
    (expected,) = [model for model in old.expected["models"].values() if model["has_manifest"]]
    same = ("name", "classes", "image_size", "outputs", "sha256", "temperature", "threshold", "trained")
    assert_holds(
        json.loads(json.dumps({name: getattr(model, name) for name in same})), {n: expected[n] for n in same}
    )


# --- runs that go on ------------------------------------------------------------------------------------------------


def go_on(old: Old, folder: Path, run_id: str, *words: str) -> Values:
    with small_weights() as builder:
        outcome = ask(folder, "resume", run_id, *words)
    assert builder.call_count, "the backbone has the weights that it had then"
    events = read_events(folder / "workspace" / "runs" / run_id / "events.jsonl")
    losses = ("epoch", "phase", "loss", "val_loss")
    return {
        "outcome": outcome,
        "epochs": [{name: event[name] for name in losses} for event in events if event["kind"] == "epoch"],
        "watched": [event["probabilities"] for event in events if event["kind"] == "pinned"],
    }


def leave_out_what_weights_change(values: Values, began: int) -> None:
    """Today the weights of the classes count in the validation loss, too, and so in the choice of the best epoch."""
    for name in ("best_epoch", "val_loss", "val_accuracy", "test_accuracy"):
        values["outcome"].pop(name, None)
    for epoch in values["epochs"]:
        if epoch["epoch"] >= began:
            del epoch["val_loss"]


@pytest.mark.parametrize("name", RESUMED)
def test_an_interrupted_run_resumes_from_its_epoch_and_comes_to_the_same_end(old: Old, copy_of: Copy, name: str):
    run_id = old.run_id(name)
    folder = copy_of(run_id)
    began = checkpoint["next_epoch"] if (checkpoint := today.checkpoint_of(folder, run_id)) else 1
    found = go_on(old, folder, run_id)
    expected = old.expected["resumed"][run_id]
    del expected["phases"]
    if today.run_of(folder, run_id).config.class_weights:
        for values in (found, expected):
            leave_out_what_weights_change(values, began)
    assert_holds(found, expected, 1e-3)
    said = today.record_of(folder, run_id)["said"]
    assert (f"Going on with epoch {began}." in said) == (began > 1)
    assert not list((folder / "workspace" / "runs" / run_id).glob(".writing-*"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Two phases", rarely("Head alone")])
def test_a_run_that_has_ended_trains_two_more_epochs(old: Old, copy_of: Copy, name: str):
    run_id = old.run_id(name)
    before = today.record_of(old.folder, run_id)["epoch"]
    found = go_on(old, copy_of(run_id), run_id, "--more", "2")
    expected = old.expected["extended"][run_id]
    assert found["outcome"]["status"] == "done"
    assert [epoch["epoch"] for epoch in found["epochs"]] == list(range(1, before + 3))
    assert [epoch["phase"] for epoch in found["epochs"]] == [epoch["phase"] for epoch in expected["epochs"]]
    assert_holds(found["epochs"][:before], expected["epochs"][:before])


def test_a_run_that_waits_in_a_program_still_at_work_is_queued(old: Old, copy_of: Copy):
    run_id = old.run_id("Killed while it waited")
    folder = copy_of(run_id)
    file = folder / "workspace" / "runs" / run_id / "run.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    values["owner"] = {"pid": os.getpid(), "started": psutil.Process().create_time()}
    file.write_text(json.dumps(values), encoding="utf-8")
    assert today.run_of(folder, run_id).status == "queued"


# --- everything else ------------------------------------------------------------------------------------------------


def test_every_dataset_has_its_images_classes_and_splits(old: Old):
    for dataset_id, expected in old.expected["datasets"].items():
        found = json.loads(json.dumps(today.dataset_of(old.folder, dataset_id)))
        assert all(found.pop("files"))
        assert_holds(found, expected, place=dataset_id)


def test_every_imported_model_has_its_record(old: Old):
    for model_id, expected in old.expected["models"].items():
        values = {name: value for name, value in expected.items() if name != "probabilities"}
        found = today.imported_model_of(old.folder, model_id)
        assert_holds({**found, "classes": list(found["classes"])}, values, place=model_id)


@pytest.mark.slow
@pytest.mark.parametrize("outputs", [3, rarely(1)])
def test_an_imported_model_is_opened_in_its_process_and_answers(old: Old, outputs: int):
    (model_id,) = [key for key, model in old.expected["models"].items() if model["outputs"] == outputs]
    expected = old.expected["models"][model_id]["probabilities"]
    assert_holds(today.imported_model_says(old.folder, model_id), expected, rounding(old))


def test_people_see_and_own_what_was_theirs_or_was_shared_with_them(old: Old):
    for email, expected in old.expected["people"].items():
        assert today.seen_by(old.folder, email) == expected


# A file that a person wrote leaves settings out, which take the defaults of today; here no layer uses this one.
OTHER_DEFAULTS = {"by-hand.json": {"fine_tune_learning_rate": 5e-4}}


def test_every_settings_file_is_read(old: Old):
    files = sorted((old.folder / "settings").iterdir())
    assert [file.name for file in files] == sorted(old.expected["settings"])
    for file in files:
        expected = old.expected["settings"][file.name] | OTHER_DEFAULTS.get(file.name, {})
        assert_holds(today.settings_of(file), expected, place=file.name)


def test_images_chosen_for_a_training_that_was_not_started_are_there(old: Old):
    for draft_id, expected in old.expected["drafts"].items():
        assert today.draft_of(old.folder, draft_id) == expected


def test_the_hash_of_a_passcode_still_fits(old: Old):
    expected = old.expected["passcode"]
    assert StoredHash.parse(expected["hash"]).matches(expected["passcode"])
