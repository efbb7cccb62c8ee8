from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.pictures import png
from tl_core.storage.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def make_folder(tmp_path: Path):
    """Write files below a new folder: ``make_folder({"cats/1.png": b"..."})``; True stands for a new picture."""

    def make(files: dict[str, bytes | bool], name: str = "pictures") -> Path:
        root = tmp_path / name
        for number, (path, content) in enumerate(files.items()):
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(png(number) if isinstance(content, bool) else content)
        return root

    return make


@pytest.fixture
def two_classes():
    """Paths and new pictures of two classes, with the given number of each."""

    def make(count: int = 4, prefix: str = "") -> dict[str, bytes | bool]:
        return {f"{prefix}{name}/{number}.png": True for name in ("cats", "dogs") for number in range(count)}

    return make
