"""A workspace and a dataset description, small enough to read at a glance."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.tl_core.small_trainings import COLOURS, import_coloured
from tl_core.config import TrainingConfig
from tl_core.data.dataset import Dataset
from tl_core.runs import RunRecord, create_run
from tl_core.storage.workspace import Workspace


@dataclass(frozen=True)
class FakeDataset:
    """The seam `create_run` has: whatever describes a dataset will do."""

    id: str = "pets-" + "0" * 32
    name: str = "Pets"
    fingerprint: str = "f" * 64
    revision: int = 1
    decoding: int = 2
    classes: tuple[str, ...] = ("cat", "dog")
    per_class: dict[str, dict[str, int]] = field(
        default_factory=lambda: {"cat": {"train": 6, "validation": 2}, "dog": {"train": 5, "validation": 2}}
    )

    def counts(self) -> dict[str, dict[str, int]]:
        return self.per_class


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace").ensure()


@pytest.fixture
def run(workspace: Workspace) -> RunRecord:
    return create_run(workspace, TrainingConfig(epochs=3), FakeDataset())


@pytest.fixture
def dataset(workspace: Workspace) -> Dataset:
    return import_coloured(workspace, COLOURS)
