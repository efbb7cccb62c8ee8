"""The log of the server: it has the line that an error id points to, and it does not grow for ever."""

from __future__ import annotations

import logging
import re

import pytest

from tests.ui.pages_without_browser import ENTRY
from ui.shell import server_log
from ui.shell.server_log import FILE, OLDER_FILES, start_server_log


@pytest.fixture
def log(workspace):
    """The file, written to from now on; afterwards everything is as it was."""
    root = logging.getLogger()
    handlers, levels = list(root.handlers), {name: logging.getLogger(name).level for name in ("ui", "tl_core")}
    yield start_server_log(workspace)
    for handler in [entry for entry in root.handlers if entry not in handlers]:
        root.removeHandler(handler)
        handler.close()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    server_log._handler = None


def test_an_error_id_shown_on_a_page_is_found_in_the_log_with_its_traceback(workspace, log, monkeypatch):
    from streamlit.testing.v1 import AppTest

    def broken(*_):
        raise RuntimeError("a secret of /the/server")

    monkeypatch.setattr("tl_core.data.list_datasets", broken)
    at = AppTest.from_file(ENTRY, default_timeout=30).run()
    (error,) = at.error
    (error_id,) = re.findall(r"error id ([0-9a-f]{8})", error.value)
    assert "secret" not in error.value
    lines = log.read_text().splitlines()
    (place,) = [number for number, line in enumerate(lines) if error_id in line]
    assert lines[place + 1].startswith("Traceback")
    assert "RuntimeError: a secret of /the/server" in lines[place:]


def test_a_logger_that_is_configured_later_is_logged_too(log, workspace):
    late = logging.getLogger("streamlit.come_late")
    late.propagate = False
    late.warning("not heard")
    assert start_server_log(workspace) == log
    start_server_log(workspace)
    late.warning("heard")
    assert "not heard" not in log.read_text()
    assert log.read_text().count("heard") == 1
    late.propagate = True


def test_errors_shown_to_a_person_and_streamlits_own_are_in_it(log, workspace):
    logging.getLogger("ui.shell.errors").info("Shown to the person: too few images")
    logging.getLogger("tl_core.data").debug("a detail")
    start_server_log(workspace)  # as every page does: Streamlit may have begun to log by itself meanwhile
    logging.getLogger("streamlit").warning("something of Streamlit")
    text = log.read_text()
    assert "INFO ui.shell.errors: Shown to the person: too few images" in text
    assert "a detail" not in text
    assert "something of Streamlit" in text


def test_it_is_bounded(log, monkeypatch):
    monkeypatch.setattr(server_log._handler, "maxBytes", 10_000)
    for number in range(3000):
        logging.getLogger("ui").info("line %05d", number)
    files = sorted(log.parent.iterdir())
    assert {file.name for file in files} == {FILE, *(f"{FILE}.{number}" for number in range(1, OLDER_FILES + 1))}
    assert all(file.stat().st_size <= 10_000 for file in files)
    assert "line 02999" in log.read_text()


def test_asking_again_adds_nothing_and_another_workspace_gets_its_own(log, workspace, tmp_path):
    before = len(logging.getLogger().handlers)
    assert start_server_log(workspace) == log
    other = start_server_log(type(workspace)(tmp_path / "other"))
    assert len(logging.getLogger().handlers) == before
    logging.getLogger("ui").info("once")
    assert "once" not in log.read_text()
    assert other.read_text().count("once") == 1


def test_a_folder_that_cannot_be_written_is_no_obstacle(workspace, caplog):
    (workspace.root / "file").write_text("no folder")
    start_server_log(type(workspace)(workspace.root / "file"))
    assert "log file cannot be written" in caplog.text
