"""A person who changes nothing gets a good model: the promise of the quick start, on the built-in samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from tl_core.config.presets import DEFAULT_PRESET, PRESETS
from tl_core.data.samples import import_sample
from tl_core.evaluation.evaluate import evaluate_run
from tl_core.runs import create_run, load_run
from tl_core.storage.workspace import Workspace
from tl_core.training import train

PROMISED_TEST_ACCURACY = 0.95


@pytest.mark.parametrize("sample", ["surfaces", "digits"])
def test_the_quick_start_learns_a_sample(tmp_path: Path, sample: str):
    workspace = Workspace(tmp_path).ensure()
    dataset = import_sample(workspace, sample)
    run = create_run(workspace, PRESETS[DEFAULT_PRESET].config, dataset)
    train(run.config, dataset.path, run.path, lambda: False)
    assert load_run(run.path).status == "done"
    assert evaluate_run(run.path, dataset.path, "test").accuracy >= PROMISED_TEST_ACCURACY
