import functools
from collections.abc import Iterator

import pytest
from streamlit.components.v2 import manifest_scanner

from tl_core.data import import_uploads
from tl_core.storage.workspace import Workspace


@pytest.fixture(autouse=True, scope="session")
def packages_are_looked_through_once() -> Iterator[None]:
    """Every `AppTest` searches all installed packages for components, which takes longer than most pages."""
    with pytest.MonkeyPatch.context() as patch:
        look_through = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", look_through)
        yield


@pytest.fixture(autouse=True)
def nothing_is_measured(monkeypatch):
    """The time said before Start stays a guess: no process is started to measure it."""
    monkeypatch.setattr("tl_core.planning.speed_meter.SETTLED_SECONDS", float("inf"))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("TL_DATA_ROOT", raising=False)
    return Workspace(tmp_path).ensure()


@pytest.fixture
def dataset(workspace):
    from tests.ui.pages_without_browser import pictures

    return import_uploads(workspace, pictures(), "Pets")
