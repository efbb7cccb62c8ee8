"""What the running server does for a visitor before, and beside, its pages."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.application import App
from tests.e2e.visitor import ask, visiting
from tl_core.storage.passcode import hash_passcode

PASSCODE = "brick & grass"
HASH = hash_passcode(PASSCODE)
METRICS = "/_stcore/metrics"


@pytest.fixture(scope="module")
def guarded(start_app: Callable[..., App]) -> App:
    return start_app(STREAMLIT_SERVER_ADDRESS="0.0.0.0", TL_PASSCODE_HASH=HASH, TL_UPLOADS_GB="0.002")


def upload(app: App, session_id: str, name: str, size: int, method: str = "PUT") -> int:
    """The status of an upload, or of its removal, as the page's own script would ask."""
    _, _, headers = ask(f"{app.url}/_stcore/health")
    (token,) = re.findall(r"_streamlit_xsrf=([^;]+)", headers["set-cookie"])
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.zip"\r\n\r\n'
    tokens = {"Cookie": f"_streamlit_xsrf={token}", "X_Xsrftoken": token}
    kind = {"Content_Type": "multipart/form-data; boundary=x"}
    place = f"{app.url}/_stcore/upload_file/{session_id}/{name}"
    return ask(place, method, head + bytes(size) + b"\r\n--x--\r\n", **kind, **tokens)[0]


def test_figures_about_the_server_are_for_its_own_machine_alone(app: App, guarded: App):
    assert ask(app.url + METRICS)[0] == 200, "there is something to close"
    for path in (METRICS, f"{METRICS}/", f"{METRICS}?families=active_sessions", "/_stcore/%6detrics"):
        status, body, _ = ask(guarded.url + path)
        assert status == 404
        assert b"active_sessions" not in body
    assert ask(f"{guarded.url}/_stcore/health")[:2] == (200, b"ok"), "a probe still asks for this"


def test_a_file_is_taken_only_of_a_tab_that_was_let_in(guarded: App):
    with visiting(guarded.url) as stranger, visiting(guarded.url) as friend:
        assert upload(guarded, stranger.open("Data").session_id, "one", 10) == 403
        friend.open("Data")
        assert upload(guarded, friend.session_id, "one", 10) == 403
        friend.submit("Pass-code", PASSCODE, "Open the dashboard")
        assert upload(guarded, friend.session_id, "one", 10) == 204
        assert upload(guarded, stranger.session_id, "two", 10) == 403
    assert upload(guarded, "no-such-tab", "one", 10) == 403


def test_the_files_of_a_tab_are_bounded_together_and_the_page_says_so(guarded: App):
    with visiting(guarded.url) as visit:
        visit.open("Data")
        visit.submit("Pass-code", PASSCODE, "Open the dashboard")
        assert upload(guarded, visit.session_id, "one", 1_500_000) == 204
        assert b"was not taken" not in visit.open("Data").elements
        assert upload(guarded, visit.session_id, "two", 1_500_000) == 204
        assert b"may have 2 MB together" in visit.open("Data").elements
        assert b"was not taken" not in visit.open("Data").elements, "it is said once"
        assert upload(guarded, visit.session_id, "one", 0, "DELETE") == 204
        assert upload(guarded, visit.session_id, "two", 1_500_000) == 204
        assert b"was not taken" not in visit.open("Data").elements


@pytest.mark.slow
def test_a_person_reads_why_a_file_was_not_taken(start_app: Callable[..., App], page: Page):
    page.goto(start_app(TL_UPLOADS_GB="0.002").at("Data"))
    page.get_by_role("tab", name="Zip file").click()
    content = {"name": "pets.zip", "mimeType": "application/zip", "buffer": bytes(3_000_000)}
    page.locator("input[type=file]").first.set_input_files(content)  # type: ignore[arg-type]
    expect(page.get_by_text("The last file was not taken")).to_be_visible()
    expect(page.get_by_role("button", name="Import", exact=True).first).to_be_disabled()
