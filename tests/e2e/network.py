"""A network that can fail: a proxy between a browser and the server that a test can cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from types import TracebackType

_PIECE = 1 << 16  # bytes


class Network:
    """Passes connections on to a server of this machine, until it is cut.

    While it is cut every connection is closed and every new one refused, as by a machine that has gone away.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._down = False
        self.cut_connections = 0  # that were open when the network was cut
        self.refused = 0  # attempts while it was
        threading.Thread(target=self._accept, name="network", daemon=True).start()

    @property
    def url(self) -> str:
        """Where a browser finds the server."""
        return f"http://localhost:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Close everything and refuse everything."""
        with self._lock:
            self._down = True
            self.cut_connections += len(self._open) // 2
            for connection in self._open:
                _break(connection)
            self._open.clear()

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._down = False

    def close(self) -> None:
        """End it."""
        self.cut()
        _break(self._listener)

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                self._connect(self._listener.accept()[0])

    def _connect(self, browser: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:
            _break(browser)
            return
        with self._lock:
            if self._down:
                self.refused += 1
                _break(browser)
                _break(server)
                return
            self._open |= {browser, server}
        for source, target in ((browser, server), (server, browser)):
            threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for piece in _pieces(source):
                target.sendall(piece)
        with self._lock:
            self._open -= {source, target}
        _break(source)
        _break(target)


def _pieces(source: socket.socket) -> Iterator[bytes]:
    while piece := source.recv(_PIECE):
        yield piece


def _break(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
