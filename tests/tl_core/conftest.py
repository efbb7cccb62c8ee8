"""What the tests of training, prediction, evaluation and the command line share; folders below may have their own."""

from __future__ import annotations

import pytest

from tests.tl_core.small_trainings import COLOURS, GREY, Trained, Trainer, import_coloured
from tl_core.data.dataset import Dataset
from tl_core.storage.workspace import Workspace


@pytest.fixture(scope="session")
def workspace(tmp_path_factory) -> Workspace:
    """Shared: the first test that needs them computes the features of the images."""
    return Workspace(tmp_path_factory.mktemp("workspace")).ensure()


@pytest.fixture(scope="session")
def dataset(workspace) -> Dataset:
    """Three colours, easy to separate."""
    return import_coloured(workspace, COLOURS)


@pytest.fixture(scope="session")
def two_classes(workspace) -> Dataset:
    """Two colours, easy to separate."""
    return import_coloured(workspace, {name: COLOURS[name] for name in ("blue", "red")})


@pytest.fixture(scope="session")
def noise(workspace) -> Dataset:
    """Two classes of the same noise: nothing to learn, so a head can only learn by heart."""
    return import_coloured(workspace, GREY)


@pytest.fixture
def train_run(workspace) -> Trainer:
    """Trains: ``train_run(dataset, epochs=2)``."""
    return Trainer(workspace)


@pytest.fixture(scope="session")
def shared_run(workspace, dataset) -> Trained:
    """One finished run on `dataset`, for tests that only ask it something."""
    return Trainer(workspace)(dataset)
