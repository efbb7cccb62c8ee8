"""A disk that is 95 % full stops imports; the pages are still served, and models still answer."""

from __future__ import annotations

import shutil

import pytest

from tests.ui.pages_without_browser import checked, open_page, pictures, texts
from tests.ui.trained_runs import COLOURS, colour_dataset, coloured, ended_run
from tl_core.data import import_uploads
from tl_core.errors import WorkspaceError
from ui.shell.navigation import PAGES

RED = coloured(COLOURS["red"], 7)
TOTAL = 10_000_000_000


@pytest.fixture
def run(workspace, monkeypatch):
    """A run that ended while there was room; now there is little."""
    ended = ended_run(workspace, colour_dataset(workspace), "Red or blue")
    nearly_full = shutil.disk_usage("/")._replace(total=TOTAL, used=TOTAL * 95 // 100, free=TOTAL * 5 // 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: nearly_full)
    return ended


def test_an_import_is_refused(workspace, run):
    with pytest.raises(WorkspaceError, match=r"0\.5 GB left"):
        import_uploads(workspace, pictures(), "Pets")


@pytest.mark.parametrize("page", [None, *(page.path for page in PAGES[1:])])
def test_every_page_is_served(run, page):
    at = open_page(page, **({"run": run.id} if page and "Data" not in page else {}))
    assert not at.error
    assert len(at.sidebar.page_link) == len(PAGES)


def test_a_model_answers(run):
    at = open_page("pages/5_Predict.py", run=run.id)
    at.file_uploader[0].upload("photo.png", RED)
    assert "Almost certainly **red**" in texts(checked(at.run()))
