"""What a page's HTML tells the browser before Streamlit's own program starts: where the server is.

Below an address such as ``/Data`` Streamlit's program cannot know whether ``Data`` is a page or the folder that the
dashboard is served in, so it asks for ``/Data/_stcore/health`` first, and each page begins with two answers 404 in
the browser's console and with the time that they took. The names of the pages are known here.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.shell.navigation import HOME, PAGES

_PAGE: Final = re.compile(rf"/({'|'.join(page.title for page in PAGES if page is not HOME)})$")
_HEAD: Final = b"<head>"
# Read by Streamlit's program; what lies before the page's name may have been added by a proxy, and is kept.
_TELLS: Final = (
    b"<script>window.__streamlit = { ...window.__streamlit, "
    b'BACKEND_BASE_URL: location.origin + location.pathname.replace(/[^/]+$/, "") }</script>'
)
_ASKED_ONCE: Final = frozenset({b"accept-encoding", b"if-none-match", b"if-modified-since"})


class PageStart:
    """ASGI middleware that puts one line of JavaScript into the HTML of every page but the first."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on all but the HTML of a page."""
        if scope["type"] != "http" or scope["method"] != "GET" or not _PAGE.search(scope["path"]):
            await self._app(scope, receive, send)
            return
        # Plain and whole: Streamlit's own file, by whose age and hash a browser would judge what it has, is another.
        asked = [(name, value) for name, value in scope["headers"] if name not in _ASKED_ONCE]
        start: Message = {}
        body = b""

        async def whole(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] != "http.response.body":
                await send(message)
                return
            body += message.get("body", b"")
            if message.get("more_body", False):
                return
            if Headers(raw=start["headers"]).get("content-type", "").startswith("text/html"):
                body = body.replace(_HEAD, _HEAD + _TELLS, 1)
                headers = MutableHeaders(raw=list(start["headers"]))
                headers["content-length"] = str(len(body))
                del headers["etag"], headers["last-modified"]
                start = {**start, "headers": headers.raw}
            await send(start)
            await send({"type": "http.response.body", "body": body})

        await self._app({**scope, "headers": asked}, receive, whole)


def page_starts() -> list[Middleware]:
    """The middleware that `streamlit.App` takes."""
    return [Middleware(PageStart)]
