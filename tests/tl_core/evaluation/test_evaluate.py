"""Figures of a finished model, held against counting by hand."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.tl_core.small_trainings import COLOURS, coloured, import_coloured
from tl_core.data import SplitConfig, import_uploads
from tl_core.errors import ConfigError, DataError, ModelUnavailableError, NotEnoughDataError, StoppedError
from tl_core.evaluation import evaluate
from tl_core.evaluation.evaluate import evaluate_run, measure
from tl_core.machine.progress import TaskContext
from tl_core.models.probabilities import as_class_probabilities


def test_every_figure_is_what_counting_gives():
    probabilities = np.array(
        [[0.8, 0.1, 0.1, 0], [0.3, 0.6, 0.1, 0], [0.2, 0.7, 0.1, 0], [0.1, 0.2, 0.7, 0], [0.4, 0.3, 0.3, 0]],
        np.float32,
    )
    labels = np.array([0, 0, 1, 2, 2])
    found = measure(("a", "b", "c", "d"), labels, probabilities, "test", [])
    assert found.accuracy == pytest.approx(3 / 5)
    assert found.balanced_accuracy == pytest.approx((0.5 + 1 + 0.5) / 3)  # d has no image
    assert found.macro_f1 == pytest.approx((0.5 + 2 / 3 + 2 / 3) / 3)
    assert found.top_k == {1: pytest.approx(3 / 5), 2: pytest.approx(4 / 5), 3: pytest.approx(1.0)}
    assert found.confusion.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    a, b, c, d = found.per_class
    assert (a.precision, a.recall, a.support) == (0.5, 0.5, 2)
    assert (b.precision, b.recall, b.support) == (0.5, 1.0, 1)
    assert c.f1 == pytest.approx(2 / 3)
    assert (d.precision, d.recall, d.f1, d.support) == (None, None, None, 0)


def test_a_class_of_which_nothing_can_be_said_has_no_figures():
    """Two classes without images, one of which is answered all the same, and one that is never answered."""
    probabilities = np.array([[0.8, 0, 0.1, 0.1], [0.6, 0.3, 0.1, 0], [0.7, 0.2, 0.1, 0], [0.2, 0.1, 0.0, 0.7]])
    found = measure(("a", "b", "c", "d"), np.array([0, 0, 1, 1]), probabilities, "test", [])
    _, b, c, d = found.per_class
    assert (b.precision, b.recall, b.f1, b.support) == (None, 0, 0, 2)
    for row in (c, d):
        assert (row.precision, row.recall, row.f1, row.support) == (None, None, None, 0)


def test_of_equally_probable_classes_the_first_counts_as_the_answer():
    probabilities = np.array([[1, 0, 0, 0]] * 4, np.float32)
    found = measure(("a", "b", "c", "d"), np.arange(4), probabilities, "test", [])
    assert found.top_k == {1: 0.25, 2: 0.5, 3: 0.75}


def test_a_sigmoid_has_two_columns():
    both = as_class_probabilities(np.array([[0.25], [1.0]]))
    assert both.tolist() == [[0.75, 0.25], [0.0, 1.0]]


@pytest.mark.parametrize("split", ["train", "validation", "test", "all"])
def test_a_finished_run_is_measured_on_any_split(shared_run, dataset, split):
    found = evaluate_run(shared_run.record.path, dataset.path, split)
    assert found.accuracy == 1.0
    expected = len(dataset.images) if split == "all" else len(dataset.of_split(split))
    assert len(found.records) == len(found.labels) == len(found.probabilities) == expected
    assert found.confusion.sum() == expected


def test_what_the_training_measured_is_what_the_saved_model_gives(shared_run, dataset):
    kept = evaluate_run(shared_run.record.path, dataset.path, "test")
    (shared_run.folder.path / "evaluation-test.npz").unlink()
    fresh = evaluate_run(shared_run.record.path, dataset.path, "test")
    assert np.abs(kept.probabilities - fresh.probabilities).max() < 1e-5


def test_measured_once_per_model_dataset_and_split(shared_run, dataset, monkeypatch):
    evaluate_run(shared_run.record.path, dataset.path, "test")
    monkeypatch.setattr(evaluate, "_predict", lambda *arguments: pytest.fail("measured again"))
    evaluate_run(shared_run.record.path, dataset.path, "test")


def test_the_model_file_is_not_read_again_while_it_is_unchanged(shared_run, dataset, monkeypatch):
    evaluate_run(shared_run.record.path, dataset.path, "validation")
    opened, open_file = [], Path.open

    def counted(path, *arguments, **options):
        opened.append(path.name)
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", counted)
    for _ in range(20):
        evaluate_run(shared_run.record.path, dataset.path, "validation")
    assert opened.count("best.keras") == 0


def test_a_changed_model_is_measured_anew(train_run, dataset):
    run = train_run(dataset, epochs=1)
    evaluate_run(run.record.path, dataset.path, "test")
    run.folder.model_file.write_bytes(run.folder.model_file.read_bytes()[:-1])
    with pytest.raises(ModelUnavailableError, match="damaged"):
        evaluate_run(run.record.path, dataset.path, "test")


def test_ten_requests_at_once_wait_for_one_measurement(shared_run, dataset, monkeypatch):
    (shared_run.folder.path / "evaluation-test.npz").unlink(missing_ok=True)
    predict, measured, together = evaluate._predict, [], threading.Barrier(10)

    def counted(*arguments):
        measured.append(1)
        return predict(*arguments)

    def ask(_):
        together.wait(60)
        return evaluate_run(shared_run.record.path, dataset.path, "test").accuracy

    monkeypatch.setattr(evaluate, "_predict", counted)
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(ask, range(10))) == [1.0] * 10
    assert len(measured) == 1


def test_whoever_waits_for_another_measurement_can_stop(shared_run, dataset):
    file = shared_run.folder.path / "evaluation-test.npz"
    file.unlink(missing_ok=True)
    told = []
    with evaluate._at_work.hold(file), pytest.raises(StoppedError):
        evaluate_run(
            shared_run.record.path, dataset.path, "test", TaskContext(lambda at: told.append(at.done), lambda: True)
        )
    assert told == [0], "a page is asked whether it is still there"
    assert len(evaluate._at_work) == 0, "no lock stays behind"


def test_a_damaged_file_is_measured_again(shared_run, dataset):
    file = shared_run.folder.path / "evaluation-test.npz"
    evaluate_run(shared_run.record.path, dataset.path, "test")
    file.write_bytes(file.read_bytes()[:50])
    assert evaluate_run(shared_run.record.path, dataset.path, "test").accuracy == 1.0


def test_another_dataset_is_matched_by_class_name(shared_run, workspace):
    other = import_coloured(workspace, {name: COLOURS[name] for name in ("green", "red")}, count=6)
    found = evaluate_run(shared_run.record.path, other.path, "all")
    assert found.accuracy == 1.0
    assert set(found.labels) == {1, 2}


def test_a_class_the_model_does_not_know_is_named(shared_run, workspace):
    other = import_coloured(workspace, {"red": COLOURS["red"], "purple": (150, 40, 160)}, count=4)
    with pytest.raises(DataError, match="purple"):
        evaluate_run(shared_run.record.path, other.path, "all")


def test_a_split_without_images_and_an_unknown_split_are_said(shared_run, workspace):
    images = {name: [(f"{n}.png", coloured(COLOURS[name], 50 + n)) for n in range(4)] for name in ("green", "red")}
    other = import_uploads(workspace, images, "No test", SplitConfig(test=0.0))
    with pytest.raises(NotEnoughDataError, match="has no test images"):
        evaluate_run(shared_run.record.path, other.path, "test")
    with pytest.raises(ConfigError, match="split"):
        evaluate_run(shared_run.record.path, other.path, "exam")
