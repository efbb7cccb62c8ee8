"""Requests to the running server that must be refused."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.e2e.application import REPOSITORY, App, NotServedError, serve
from tests.e2e.uploads import import_zip, send_file
from tests.e2e.visitor import ask, knock, visiting
from tests.ui.pages_without_browser import pictures
from tl_core.config import TrainingConfig
from tl_core.data import import_uploads
from tl_core.runs import create_run
from tl_core.storage.files import read_json, write_json
from tl_core.storage.passcode import hash_passcode
from ui.shell.access.gate import FREE_ATTEMPTS

PASSCODE = "brick & grass"
INSIDES = (
    b"Traceback",
    b"Error(",
    b"TypeError",
    b"NoneType",
    b"site-packages",
    b".py",
    str(REPOSITORY).encode(),
    b"tl_core",
)


@pytest.fixture(scope="module")
def guarded(start_app: Callable[..., App]) -> App:
    """On all addresses, with a pass-code."""
    return start_app(STREAMLIT_SERVER_ADDRESS="0.0.0.0", TL_PASSCODE_HASH=hash_passcode(PASSCODE))


def secret_dataset(app: App):
    return import_uploads(app.workspace, pictures(each=4), "Secret pets")


def test_health_is_answered_at_once(app: App):
    began = time.monotonic()
    status, body, _ = ask(f"{app.url}/_stcore/health")
    assert (status, body) == (200, b"ok")
    assert time.monotonic() - began < 1


def test_the_page_of_the_server_itself_gets_its_socket(app: App):
    assert knock(app.url, origin=app.url) == 101
    assert knock(app.url) == 101, "a program without an origin is let in: it is no browser, and no login either"


@pytest.mark.parametrize("origin", ["http://evil.example", "https://localhost.evil.example", "null"])
def test_a_page_of_another_origin_gets_no_socket(app: App, origin: str):
    assert knock(app.url, origin=origin) == 403


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8501", "192.168.1.20"])
def test_another_host_name_gets_no_socket(app: App, host: str):
    assert knock(app.url, host=host) == 403
    assert knock(app.url, host=host, origin=f"http://{host}") == 403


def test_an_upload_needs_the_token_of_the_page(app: App):
    _, _, headers = ask(f"{app.url}/_stcore/health")
    (token,) = re.findall(r"_streamlit_xsrf=([^;]+)", headers["set-cookie"])
    body = (
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.zip"\r\n'
        b"Content-Type: application/zip\r\n\r\nPK\r\n--x--\r\n"
    )
    kind = {"Content_Type": "multipart/form-data; boundary=x"}
    with visiting(app.url) as visit:
        place = f"{app.url}/_stcore/upload_file/{visit.open('Data').session_id}/some-file"
        cookie = {"Cookie": f"_streamlit_xsrf={token}"}
        assert ask(place, "PUT", body, **kind)[0] == 403
        assert ask(place, "PUT", body, **kind, **cookie)[0] == 403
        assert ask(place, "PUT", body, **kind, **cookie, X_Xsrftoken="other")[0] == 403
        assert ask(place, "PUT", body, **kind, **cookie, X_Xsrftoken=token)[0] == 204
    nobody = f"{app.url}/_stcore/upload_file/no-such-session/some-file"
    assert ask(nobody, "PUT", body, **kind, **cookie, X_Xsrftoken=token)[0] == 403


def test_no_program_drives_the_pages_in_place_of_a_browser(app: App):
    status, body, _ = ask(f"{app.url}/_stcore/agent/interact", "POST", b"{}", Content_Type="application/json")
    assert status >= 400
    assert b"does not serve the agent API" in body


def test_other_websites_may_read_nothing(app: App):
    for path in ("/", "/_stcore/health", "/_stcore/host-config"):
        _, _, headers = ask(app.url + path, Origin="http://evil.example")
        assert headers.get("access-control-allow-origin") in (None, app.url)


@pytest.mark.parametrize(
    "path",
    [
        "/app/static/../../app.py",
        "/app/static/%2e%2e/%2e%2e/app.py",
        "/app/static/..%5c..%5capp.py",
        "/media/../app.py",
        "/component/x/../../../app.py",
        "/_stcore/bidi-components/x/../../../../etc/passwd",
        "//etc/passwd",
    ],
)
def test_no_address_leads_to_a_file_of_the_server(app: App, path: str):
    status, body, _ = ask(app.url + path)
    assert b"page_setup" not in body
    assert b"root:" not in body
    assert status in (400, 403, 404) or b"<!doctype html>" in body[:100].lower()
    assert not [word for word in INSIDES if word in body]


def test_an_unexpected_error_is_a_sentence_with_an_id_that_the_log_knows(app: App):
    dataset = secret_dataset(app)
    runs = [create_run(app.workspace, TrainingConfig(), dataset, name) for name in ("one", "two")]
    for run, created in zip(runs, (5, None), strict=True):  # cannot be sorted, which no page expects
        record = run.folder.record_file
        write_json(record, {**read_json(record), "created": created})
    with visiting(app.url) as visit:
        for address in ("", "Runs"):
            drawn = visit.open(address).elements
            (error_id,) = re.findall(rb"error id ([0-9a-f]{8})", drawn)
            assert not [word for word in INSIDES if word in drawn]
            log = (app.workspace.logs / "server.log").read_text()
            place = log.index(error_id.decode())
            assert "TypeError: '<' not supported" in log[place:], "the fault really happened"
    for run in runs:
        run.folder.record_file.unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"STREAMLIT_SERVER_ADDRESS": "0.0.0.0"}, "it listens on the address 0.0.0.0"),
        ({"STREAMLIT_SERVER_ALLOWED_HOSTS": "*"}, "it answers to every name"),
        ({"TL_ALLOWED_EMAILS": "ada@example.org"}, "no login is configured"),
        ({"TL_PASSCODE_HASH": "1234"}, "python -m tl_core passcode"),
    ],
)
def test_a_server_that_could_let_nobody_in_does_not_start(tmp_path: Path, environment: dict[str, str], reason: str):
    with pytest.raises(NotServedError) as refused, serve(tmp_path, environment):
        pass
    log = (tmp_path / "server.log").read_text()
    assert reason in log
    assert "Traceback" not in log
    assert "ended at once" in str(refused.value)


@pytest.mark.slow
def test_the_pass_code_lets_in_one_tab_and_is_written_nowhere(guarded: App):
    secret_dataset(guarded)
    with visiting(guarded.url) as stranger, visiting(guarded.url) as friend:
        assert b"Secret pets" not in friend.open("Data").elements
        friend.submit("Pass-code", PASSCODE, "Open the dashboard")
        assert b"Secret pets" in friend.open("Data").elements
        assert b"Secret pets" not in stranger.open("Data").elements
        for number in range(FREE_ATTEMPTS + 1):
            drawn = stranger.submit("Pass-code", f"wrong {number}", "Open the dashboard").elements
            assert b"not the pass-code" in drawn
        drawn = stranger.submit("Pass-code", PASSCODE, "Open the dashboard").elements
        assert b"too many wrong pass-codes" in drawn
        assert b"Secret pets" not in drawn
        assert b"Secret pets" in friend.open("Data").elements, "whoever is in stays in"
    logs = guarded.log.read_text() + (guarded.workspace.logs / "server.log").read_text()
    assert "wrong pass-code was tried" in logs
    assert not [word for word in (PASSCODE, "wrong 0", "scrypt:") if word in logs]


UPLOAD_BYTES = 20_000_000
FREED_WITHIN = 60  # seconds after the last one


@pytest.mark.slow
def test_uploads_of_closed_tabs_are_released_while_nobody_visits(start_app: Callable[..., App]):
    app = start_app(STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL="15")  # longer than all the uploads take
    open_upload_and_close(app, tabs=10, at_least=140_000_000, kept=60_000_000)  # the first upload loads what stays


@pytest.mark.long
@pytest.mark.timeout(600)
def test_fifty_closed_tabs_leave_nothing_of_a_gigabyte(start_app: Callable[..., App]):
    """As installed: a closed tab is remembered for 30 s."""
    most, kept = open_upload_and_close(start_app(), tabs=50, at_least=200_000_000, kept=100_000_000)
    print(f"\n{most / 1e6:.0f} MB at most, {kept / 1e6:.0f} MB at the end, above the start")  # noqa: T201


@pytest.mark.slow
def test_an_upload_leaves_memory_once_it_is_imported_and_the_last_tab_leaves_nothing(start_app: Callable[..., App]):
    app = start_app(STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL="4")
    server = psutil.Process(app.process.pid)
    with visiting(app.url) as visit:
        visit.open("Data")
        import_zip(app, visit, 0, 100_000)  # what is loaded for the first import stays
        before = server.memory_info().rss
        for number in range(1, 5):
            import_zip(
                app, visit, number, 2 * UPLOAD_BYTES
            )  # too large for the heap: freed memory leaves the process
        assert server.memory_info().rss - before < 1.5 * UPLOAD_BYTES
        imported = server.memory_info().rss
        assert send_file(app, visit.session_id, "not-imported", bytes(4 * UPLOAD_BYTES)) == 204
        assert server.memory_info().rss - imported > 3 * UPLOAD_BYTES, "it really was in memory"
    deadline = time.monotonic() + FREED_WITHIN
    while (left := server.memory_info().rss - before) > 1.5 * UPLOAD_BYTES:
        assert time.monotonic() < deadline, f"{left / 1e6:.0f} MB are still in memory"
        time.sleep(0.1)  # between two looks: the condition decides


def open_upload_and_close(app: App, tabs: int, at_least: int, kept: int) -> tuple[int, int]:
    """Open so many tabs one after the other, upload into each and close it.

    Args:
        at_least: bytes that the server must have held at some moment: else nothing is shown.
        kept: bytes that it may still hold a minute after the last, above what it held before the first.

    Returns:
        Bytes above the start: the most there were, and what was left.
    """
    server = psutil.Process(app.process.pid)
    with visiting(app.url) as visit:  # what is loaded for the first visitor stays
        visit.open("Data")
    before, most = server.memory_info().rss, 0
    for _ in range(tabs):
        with visiting(app.url) as visit:
            assert send_file(app, visit.open("Data").session_id, "some-file", bytes(UPLOAD_BYTES)) == 204
        most = max(most, server.memory_info().rss)
    assert most - before > at_least, "it really was in memory"
    deadline = time.monotonic() + FREED_WITHIN
    while (left := server.memory_info().rss - before) > kept:
        assert time.monotonic() < deadline, f"{left / 1e6:.0f} MB are still in memory"
        time.sleep(0.1)  # between two looks: the condition decides
    return most - before, left
