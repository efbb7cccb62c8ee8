"""The settings that keep the server to this machine, its errors to the log and its traffic small."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))

EXPECTED = {
    "server.address": "127.0.0.1",
    "server.allowedHosts": ["localhost", "127.0.0.1"],
    "server.enableCORS": True,
    "server.enableXsrfProtection": True,
    "server.fileWatcherType": "none",
    "server.maxUploadSize": 200,
    "server.maxMessageSize": 50,
    "server.disconnectedSessionTTL": 30,
    "runner.postScriptGC": False,
    "client.showErrorDetails": "none",
    "browser.gatherUsageStats": False,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_server_is_set_up_as_agreed(name):
    section, option = name.split(".")
    assert CONFIG[section][option] == EXPECTED[name]


def test_nobody_is_offered_to_clear_the_cache_of_everybody():
    assert CONFIG["client"]["toolbarMode"] in {"viewer", "minimal"}


def test_what_is_served_statically_is_not_kept_in_the_repository():
    assert {path.name for path in (ROOT / "static").iterdir()} - {".gitignore"} <= {
        path.name for path in (ROOT / "static").glob("plotly-*.min.js")
    }


def test_pages_and_pieces_import_no_machine_learning_at_their_top():
    heavy = ("tensorflow", "keras", "openvino", "sklearn")
    sources = [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "ui").rglob("*.py")]
    lines = [(path.name, line) for path in sources for line in path.read_text(encoding="utf-8").splitlines()]
    found = [
        (name, line)
        for name, line in lines
        if line.startswith(tuple(f"{word} {lib}" for word in ("import", "from") for lib in heavy))
    ]
    assert found == []
