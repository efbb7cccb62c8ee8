"""A person who changes nothing gets a good model: the promise of the quick start, on the built-in samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from tl_core.config.presets import DEFAULT_PRESET, PRESETS
from tl_core.data import Dataset, import_uploads
from tl_core.data.samples import import_sample
from tl_core.evaluation.evaluate import evaluate_run
from tl_core.runs import create_run, load_run
from tl_core.storage.workspace import Workspace
from tl_core.training import train

PROMISED_TEST_ACCURACY = 0.95
FEW = 50  # images of each class
ACCURACY_WITH_FEW = 0.88  # docs/defaults.md: 93 % with 40 images of each digit to learn from


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path).ensure()


def accuracy_of(workspace: Workspace, dataset: Dataset) -> float:
    run = create_run(workspace, PRESETS[DEFAULT_PRESET].config, dataset)
    train(run.config, dataset.path, run.path, lambda: False)
    assert load_run(run.path).status == "done"
    return evaluate_run(run.path, dataset.path, "test").accuracy


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["surfaces", pytest.param("digits", marks=pytest.mark.long)])
def test_the_quick_start_learns_a_sample(workspace: Workspace, sample: str):
    assert accuracy_of(workspace, import_sample(workspace, sample)) >= PROMISED_TEST_ACCURACY


@pytest.mark.slow
def test_the_quick_start_learns_ten_classes_from_a_few_images_each(workspace: Workspace):
    digits = import_sample(workspace, "digits")
    images: dict[str, list[tuple[str, bytes]]] = {name: [] for name in digits.classes}
    for image in digits.images:
        images[digits.classes[image.label]].append((image.file, digits.path_of(image).read_bytes()))
    few = import_uploads(workspace, {name: files[:FEW] for name, files in images.items()}, "Few digits")
    assert len(few.images) == FEW * len(few.classes)
    assert accuracy_of(workspace, few) >= ACCURACY_WITH_FEW
