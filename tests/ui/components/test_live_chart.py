"""The Python side of the live chart; tests/e2e/test_live_chart.py has the browser's."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from tl_core.errors import WorkspaceError
from ui.components import live_chart


@pytest.fixture
def static(tmp_path, monkeypatch):
    folder = tmp_path / "static"
    monkeypatch.setattr(live_chart, "STATIC", folder)
    live_chart.bundle_url.cache_clear()
    yield folder
    live_chart.bundle_url.cache_clear()


def test_the_bundle_of_the_installed_plotly_is_put_where_it_is_served(static):
    url = live_chart.bundle_url()
    assert url == f"app/static/plotly-{version('plotly')}.min.js"
    served = static / url.removeprefix("app/static/")
    assert served.read_bytes()[:300].startswith(b"/**\n* plotly.js")


def test_a_half_copied_bundle_is_replaced(static):
    static.mkdir()
    broken = static / f"plotly-{version('plotly')}.min.js"
    broken.write_bytes(b"half")
    live_chart.bundle_url()
    assert broken.stat().st_size > 1_000_000


def test_a_folder_that_cannot_be_written_is_a_sentence(static):
    static.write_text("a file where the folder should be")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        live_chart.bundle_url()
