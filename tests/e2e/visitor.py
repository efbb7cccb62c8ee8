"""A visitor without a browser: speaks to the running server as a browser does, or as a hostile page would."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

ANSWER_SECONDS = 30


def ask(
    url: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of one request; ``_`` in the name of a header stands for a hyphen."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request(
            method, parts.path or "/", body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def knock(url: str, *, origin: str | None = None, host: str | None = None) -> int:
    """The status with which the server answers a handshake for its socket: 101 lets in."""
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    headers |= {"Origin": origin} if origin else {}
    headers |= {"Host": host} if host else {}
    return ask(f"{url}/_stcore/stream", **headers)[0]


class Visit:
    """One tab: what the server has sent of the page."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.session_id = ""
        self._page, self._query = "", ""
        self.elements = b""  # everything that is drawn, as it came
        self.widgets: dict[str, str] = {}  # label -> id
        self.ids: list[str] = []  # of the widgets, in the order in which they are drawn

    def id_of(self, key: str) -> str:
        """The id of the widget that was drawn last under a key."""
        return next(found for found in reversed(self.ids) if found.endswith(f"-{key}"))

    def open(self, page: str = "", query: str = "") -> Visit:
        """Run a page and take in what it draws, until it ends."""
        self._page, self._query = page, query
        return self.send(BackMsg())

    def press(self, button: str) -> Visit:
        """Press a button."""
        message = BackMsg()
        pressed = message.rerun_script.widget_states.widgets.add()
        pressed.id, pressed.trigger_value = self.widgets[button], True
        return self.send(message)

    def clear_cache(self) -> None:
        """What the menu of a browser can ask for; it is for the whole server."""
        self._socket.send(BackMsg(clear_cache=True).SerializeToString())

    def submit(self, field: str, text: str, button: str) -> Visit:
        """Type into a field and press the button of its form."""
        message = BackMsg()
        typed = message.rerun_script.widget_states.widgets.add()
        typed.id, typed.string_value = self.widgets[field], text
        pressed = message.rerun_script.widget_states.widgets.add()
        pressed.id, pressed.trigger_value = self.widgets[button], True
        return self.send(message)

    def send(self, message: BackMsg) -> Visit:
        """Send a message that runs the page, and take in what it draws, until it ends."""
        self.elements, self.ids = b"", []
        message.rerun_script.page_name, message.rerun_script.query_string = self._page, self._query
        self._socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg.FromString(self._socket.recv(ANSWER_SECONDS, decode=False))
            kind = answer.WhichOneof("type")
            if kind == "new_session":
                self.session_id = answer.new_session.initialize.session_id
            elif kind == "delta":
                self._take(answer)
            elif kind == "script_finished" and answer.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return self

    def _take(self, answer: ForwardMsg) -> None:
        self.elements += answer.delta.SerializeToString()
        element = answer.delta.new_element
        for kind in ("text_input", "button", "file_uploader"):
            if element.HasField(kind):
                widget = getattr(element, kind)
                self.widgets[widget.label] = widget.id
                self.ids.append(widget.id)


@contextlib.contextmanager
def visiting(url: str) -> Iterator[Visit]:
    """Open a tab on the server at ``url``."""
    address = url.replace("http", "ws", 1)
    with connect(f"{address}/_stcore/stream", subprotocols=["streamlit"], origin=url, max_size=None) as socket:  # type: ignore[list-item, arg-type]
        yield Visit(socket)


__all__ = ["InvalidStatus", "Visit", "ask", "knock", "visiting"]
