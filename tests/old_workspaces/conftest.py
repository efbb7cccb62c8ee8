"""An unpacked workspace of every earlier version, and copies of it for tests that change something."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.old_workspaces import VERSIONS
from tests.old_workspaces.answers import Values
from tests.ui.conftest import nothing_is_measured, packages_are_looked_through_once

__all__ = ["nothing_is_measured", "packages_are_looked_through_once"]


@dataclass(frozen=True)
class Old:
    """What an earlier version has left."""

    folder: Path
    expected: Values  # the output of that version

    def run_id(self, name: str) -> str:
        """The id of a run, by the name under which it was made."""
        found: str = self.expected["names"][name]
        return found


@pytest.fixture(scope="session", params=VERSIONS)
def old(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Old:
    """For tests that only read."""
    folder = tmp_path_factory.mktemp("old")
    archive = Path(__file__).with_name(f"workspace_{request.param}.tar.xz")
    shutil.unpack_archive(archive, folder, filter="data")
    return Old(folder, json.loads((folder / "expected.json").read_text(encoding="utf-8")))


@pytest.fixture
def copy_of(old: Old, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Copies the workspace with some of its runs, without the cache, for a test that changes them."""
    target = tmp_path / "copy"

    def copy(*run_ids: str) -> Path:
        source = old.folder / "workspace"
        others = {path.name for path in (source / "runs").iterdir()} - set(run_ids)
        shutil.copytree(old.folder, target, ignore=lambda _, names: {"cache", *others} & set(names))
        return target

    yield copy
    shutil.rmtree(target)
