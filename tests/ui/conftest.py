import pytest

from tl_core.data import import_uploads
from tl_core.workspace import Workspace


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("TL_DATA_ROOT", raising=False)
    return Workspace(tmp_path).ensure()


@pytest.fixture
def dataset(workspace):
    from tests.ui.pages_without_browser import pictures

    return import_uploads(workspace, pictures(), "Pets")
