"""The connections of the server: one that keeps it waiting is closed, and what is no HTTP is told so in a sentence.

uvicorn bounds the size of a request's head, and how long a connection may be idle after an answer, but not how long a
head may take; a program that opens connections and says nothing, or a letter a minute, would hold them for ever.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 10.0  # for the head of a request, from the connection or its first byte on
STOP_SECONDS: Final = 30  # for the requests that are being answered when the server is told to stop


class Connection(H11Protocol):
    """One connection, with HTTP by h11, which bounds what it keeps of a head."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take what has arrived, and wait on if it ends in the middle of a head."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._waiting is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is to come."""
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # as uvicorn calls it
        """Say that this is no HTTP."""
        self._refuse(400, "This is no request in HTTP, or its head is too long: GET / lists what there is.")

    def _wait_for_head(self) -> None:
        self._waiting = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        self._waiting = None
        if not self.transport.is_closing() and self.conn.our_state is h11.IDLE:
            self._refuse(408, f"The request did not arrive within {HEAD_SECONDS:.0f} s: send it at once.")

    def _refuse(self, status: int, sentence: str) -> None:
        body = json.dumps({"error": sentence}).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
        events: list[Any] = [
            h11.Response(status_code=status, headers=list(headers.items())),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ]
        self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        self.transport.close()


def server_config(application: Any) -> uvicorn.Config:
    """How uvicorn runs the application."""
    return uvicorn.Config(
        application,
        http=Connection,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=STOP_SECONDS,
    )
