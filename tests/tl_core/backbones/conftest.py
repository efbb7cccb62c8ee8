from __future__ import annotations

from pathlib import Path

import pytest

from tl_core.storage.workspace import Workspace


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace and an empty Keras cache, so that no test sees weights of this machine."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path / "workspace"))
    return Workspace.from_environment().ensure()
