"""What the middleware lets through to Streamlit, whatever way the server was started."""

from __future__ import annotations

import contextlib

import pytest

from tl_core.data.imports.archive import LIMITS, OWN_LIMITS
from ui.shell.access.endpoints import GuardedEndpoints, Message, Receive, Send, Tabs, archive_limits, upload_limit

METRICS = "/_stcore/metrics"
REACHED = 299  # a status that the guard itself never gives


async def streamlit(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": REACHED, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def status_of(path: str) -> int:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    answering = GuardedEndpoints(streamlit, Tabs())(scope, receive, send)
    with contextlib.suppress(StopIteration):  # it waits for nothing, so no loop is needed
        answering.send(None)
    return int(sent[0]["status"])


def test_figures_are_open_for_this_machine_alone():
    assert status_of(METRICS) == REACHED


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("server.address", "0.0.0.0"),
        ("server.address", None),
        ("server.allowedHosts", ["*"]),
        ("server.enableCORS", False),
    ],
)
def test_figures_are_closed_wherever_others_could_ask(setting, option, value):
    setting(option, value)
    assert status_of(METRICS) == 404
    assert status_of("/_stcore/health") == REACHED, "a probe still asks for this"


@pytest.mark.parametrize(
    ("variable", "value"), [("TL_PASSCODE_HASH", "scrypt:x"), ("TL_ALLOWED_EMAILS", "ada@example.org")]
)
def test_figures_are_closed_where_somebody_has_to_be_let_in(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert status_of(METRICS) == 404


def test_an_archive_may_be_larger_where_nobody_else_could_bring_it(monkeypatch, setting):
    assert (archive_limits(), upload_limit()) == (OWN_LIMITS, 2_500_000_000)
    assert OWN_LIMITS.members >= 25_000, "the published cats and dogs"
    monkeypatch.setenv("TL_PASSCODE_HASH", "scrypt:x")
    assert (archive_limits(), upload_limit()) == (LIMITS, 500_000_000)
    monkeypatch.delenv("TL_PASSCODE_HASH")
    setting("server.address", "0.0.0.0")
    assert archive_limits() == LIMITS
    monkeypatch.setenv("TL_UPLOADS_GB", "0.1")
    assert upload_limit() == 100_000_000
