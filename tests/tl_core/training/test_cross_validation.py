"""The cross-validated accuracy: what it comes to, what it is asked with, and where it is kept."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from tests.tl_core.small_trainings import COLOURS, Trainer, import_coloured, png
from tl_core.command_line import main
from tl_core.data import import_uploads
from tl_core.errors import NotEnoughDataError, StoppedError
from tl_core.evaluation.cross_validated import (
    MOST_IMAGES,
    can_cross_validate,
    kept_cross_validation,
    save_cross_validation,
    summarize,
)
from tl_core.evaluation.evaluate import evaluate_run
from tl_core.evaluation.report import take_measures, write_report
from tl_core.inference.calibration import load_calibration
from tl_core.machine.progress import TaskContext
from tl_core.runs import dataset_of, load_run, update_run
from tl_core.storage.workspace import Workspace
from tl_core.training import cross_validation
from tl_core.training.cross_validation import cross_validate, divisions


def test_the_deviation_is_corrected_for_what_the_folds_share():
    found = summarize([[0.8, 0.9], [0.7, 1.0]], 400, fine_tuned=False)
    assert found.accuracy == pytest.approx(0.85)
    assert found.deviation == pytest.approx(math.sqrt((1 / 4 + 1) * 0.05 / 3))
    assert found.repeats == pytest.approx((0.85, 0.85))
    assert (found.heads, found.text) == (4, "85 % ± 14")
    assert "4 heads" in found.meaning
    assert "fine-tuning is not repeated" not in found.meaning
    assert "fine-tuning is not repeated" in replace(found, fine_tuned=True).meaning


@pytest.mark.parametrize(("images", "text"), [(20, "100 % ± 4"), (900, "100.0 % ± 0.1")])
def test_where_every_answer_is_right_few_images_still_leave_doubt(images, text):
    assert summarize([[1.0] * 5] * 3, images, fine_tuned=False).text == text


def test_folds_have_all_classes_and_tear_no_group_apart():
    labels = np.repeat([0, 1], 30)
    groups = [str(place // 3) for place in range(60)]
    found = divisions(labels, groups, 5, 2)
    assert len(found) == 2
    assert not np.array_equal(found[0], found[1])
    for fold_of in found:
        assert [np.bincount(labels[fold_of == fold]).tolist() for fold in range(5)] == [[6, 6]] * 5
        assert all(len(set(fold_of[start : start + 3])) == 1 for start in range(0, 60, 3))


def test_a_class_of_few_groups_has_fewer_folds_and_one_of_two_none():
    labels = np.array([0] * 40 + [1] * 8)
    groups = [str(place) for place in range(40)] + [f"b{place // 2}" for place in range(8)]
    assert {int(fold_of.max()) + 1 for fold_of in divisions(labels, groups, 10, 3)} == {4}
    with pytest.raises(NotEnoughDataError, match="one class has 2: bring more"):
        divisions(labels[:44], groups[:44], 10, 3)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(cross_validation, "FOLDS", 3)
    monkeypatch.setattr(cross_validation, "REPEATS", 2)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run on colours, which a head can tell apart."""
    workspace = Workspace(tmp_path_factory.mktemp("cross") / "workspace").ensure()
    dataset = import_coloured(workspace, COLOURS)
    return Trainer(workspace)(dataset, epochs=6).record


@pytest.mark.slow
def test_heads_that_have_not_seen_them_know_the_colours_and_the_number_is_kept(finished, small, monkeypatch, capsys):
    told = []
    found = cross_validate(finished.path, TaskContext(told.append))
    assert found.accuracy > 0.9
    assert (found.heads, found.images, found.fine_tuned) == (6, 42, False)
    assert [at.total for at in told][-1] == 6
    assert kept_cross_validation(load_run(finished.path)) == found

    monkeypatch.setenv("TL_WORKSPACE", str(finished.workspace.root))
    assert main(["evaluate", finished.id, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])["cross_validation"]
    assert printed["text"] == found.text
    assert printed["accuracy"] == pytest.approx(found.accuracy)
    assert main(["evaluate", finished.id]) == 0
    assert f"{found.text}: Cross-validated" in capsys.readouterr().out

    measured = evaluate_run(finished.path, finished.dataset_path)
    measures = take_measures(measured, load_calibration(finished.folder, finished.model_sha256))
    report = write_report(finished, dataset_of(finished), measures, ".md").decode()
    assert found.text in report


def test_what_is_kept_is_of_this_model_and_readable(finished):
    found = summarize([[0.8, 0.9], [0.7, 1.0]], 42, fine_tuned=False)
    save_cross_validation(finished, found)
    assert kept_cross_validation(finished) == found
    assert kept_cross_validation(replace(finished, model_sha256="another")) is None
    finished.folder.cross_validation_file.write_text("{", encoding="utf-8")
    assert kept_cross_validation(finished) is None


def test_it_can_be_stopped_and_keeps_nothing(finished, small):
    finished.folder.cross_validation_file.unlink(missing_ok=True)
    told = []
    with pytest.raises(StoppedError):
        cross_validate(finished.path, TaskContext(told.append, lambda: len(told) > 2))
    assert kept_cross_validation(finished) is None


@pytest.mark.slow
def test_labels_that_mean_nothing_are_not_learned_by_heart_from_copies(workspace, train_run, small, monkeypatch):
    """Each picture stands four times in its class, saved again each time: torn apart it would be known by heart."""
    rng = np.random.default_rng(0)
    scenes = [rng.integers(0, 255, (5, 5, 3)).repeat(8, axis=0).repeat(8, axis=1) for _ in range(24)]
    images: dict[str, list[tuple[str, bytes]]] = {"a": [], "b": []}
    for place, scene in enumerate(scenes):
        for again in range(4):
            pixels = np.clip(scene + rng.normal(0, 1, scene.shape), 0, 255)
            images["ab"[place % 2]].append((f"{place}-{again}.png", png(pixels)))
    monkeypatch.setattr(cross_validation, "REPEATS", 1)
    run = train_run(import_uploads(workspace, images, "Copies"), epochs=6).record
    assert cross_validate(run.path).accuracy < 0.75


def test_many_images_too_few_and_a_run_at_work_have_none(finished):
    dataset = dataset_of(finished)
    assert can_cross_validate(finished, dataset)
    assert not can_cross_validate(finished, replace(dataset, images=dataset.images * (MOST_IMAGES // 40)))
    first = {record.label: record for record in dataset.images}
    assert not can_cross_validate(finished, replace(dataset, images=tuple(first.values()) * 5))
    assert not can_cross_validate(replace(finished, status="running"), dataset)
    assert not can_cross_validate(replace(finished, members=(finished.config,)), dataset), "an ensemble"
    running = update_run(finished.path, status="running")
    try:
        with pytest.raises(NotEnoughDataError, match=f"up to {MOST_IMAGES:,} images"):
            cross_validate(running.path)
    finally:
        update_run(finished.path, status="done")
