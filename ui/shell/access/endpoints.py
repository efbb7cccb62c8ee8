"""What the server does outside its pages: uploads are for tabs that were let in, figures about it for this machine.

Streamlit serves these addresses before any page has checked the visitor. ``streamlit run app.py`` serves the
dashboard as `streamlit.App` (https://docs.streamlit.io/develop/api-reference/configuration/app), whose middleware
sees each request first.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tl_core.data.imports.archive import LIMITS, OWN_LIMITS, ArchiveLimits
from tl_core.storage.workspace import gigabytes_from_environment
from ui.shell.access.protection import for_this_machine_alone

# 10^9 bytes that all files of one tab may have together, where strangers could bring them and where not;
# TL_UPLOADS_GB overrides both.
DEFAULT_UPLOADS_GB: Final = 0.5
OWN_UPLOADS_GB: Final = 2.5
MAX_TABS: Final = 10_000  # that are remembered; the one seen longest ago is asked to load its page again

_METRICS: Final = re.compile(r"/_stcore/metrics/?$")
_UPLOAD: Final = re.compile(r"/_stcore/upload_file/([^/]+)/([^/]+)/?$")


@dataclass(slots=True)
class _Tab:
    files: dict[str, int] = field(default_factory=dict)  # id -> bytes
    refused: bool = False  # whether a file was not taken, and the page has not said so yet


class Tabs:
    """The tabs that were let in, and how much each has uploaded; pages and the server's loop ask at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tabs: OrderedDict[str, _Tab] = OrderedDict()

    def let_in(self, tab: str) -> None:
        """Take uploads of this tab from now on."""
        with self._lock:
            self._tabs.setdefault(tab, _Tab())
            self._tabs.move_to_end(tab)
            while len(self._tabs) > MAX_TABS:
                self._tabs.popitem(last=False)

    def shut_out(self, tab: str) -> None:
        """Take no more uploads of it, as its login has run out."""
        with self._lock:
            self._tabs.pop(tab, None)

    def is_in(self, tab: str) -> bool:
        """Whether uploads of it are taken."""
        with self._lock:
            return tab in self._tabs

    def take(self, tab: str, file: str, size: int) -> bool:
        """Note an upload; returns whether there is room for it beside the other files of the tab."""
        with self._lock:
            found = self._tabs.get(tab)
            if found is None:  # shut out since it was asked whether it is in
                return False
            others = sum(taken for name, taken in found.files.items() if name != file)
            if others + size > upload_limit():
                found.refused = True
                return False
            found.files[file] = size
            return True

    def drop(self, tab: str, file: str) -> None:
        """Forget a file that was removed, or that did not arrive."""
        with self._lock:
            if found := self._tabs.get(tab):
                found.files.pop(file, None)

    def take_refusal(self, tab: str) -> bool:
        """Whether a file was not taken since the last time somebody asked."""
        with self._lock:
            found = self._tabs.get(tab)
            refused = found is not None and found.refused
            if found is not None:
                found.refused = False
            return refused


_tabs: Final = Tabs()


def take_uploads(admitted: bool) -> str | None:
    """Take or refuse uploads of the tab that runs this page; returns what to say of one that was not taken."""
    context = get_script_run_ctx()
    if context is None:
        return None
    if not admitted:
        _tabs.shut_out(context.session_id)
        return None
    _tabs.let_in(context.session_id)
    if not _tabs.take_refusal(context.session_id):
        return None
    return (
        "The last file was not taken: all files of one browser tab may have "
        f"{upload_limit() / 1e6:,.0f} MB together. Remove some, or reload the page, which lets go of all of them; "
        "what was imported stays."
    )


def release_uploads(files: Iterable[UploadedFile]) -> None:
    """Take files of fields that are not drawn again out of the server's memory.

    Who still holds one of them can read it to its end. Streamlit keeps an upload until its tab is forgotten, also
    where its field has long gone from the page.
    """
    releasing_uploads(files)()


def releasing_uploads(files: Iterable[UploadedFile]) -> Callable[[], None]:
    """What does `release_uploads` later, and in any thread: for files that may be needed once more until then."""
    context = get_script_run_ctx()
    if context is None:
        return lambda: None
    uploads: Any = context.uploaded_file_mgr  # its protocol leaves out what the server's own DELETE calls
    tab, names = context.session_id, [file.file_id for file in files]

    def release() -> None:
        for name in names:
            uploads.remove_file(tab, name)
            _tabs.drop(tab, name)

    return release


def upload_limit() -> int:
    """Bytes that all files of one tab may have together.

    Raises:
        ConfigError: ``TL_UPLOADS_GB`` is no number of at least 0.
    """
    default = OWN_UPLOADS_GB if for_this_machine_alone() else DEFAULT_UPLOADS_GB
    return gigabytes_from_environment("TL_UPLOADS_GB", default)


def archive_limits() -> ArchiveLimits:
    """What an uploaded archive may hold."""
    return OWN_LIMITS if for_this_machine_alone() else LIMITS


class GuardedEndpoints:
    """ASGI middleware (https://asgi.readthedocs.io/en/latest/specs/main.html#middleware) before Streamlit's own."""

    def __init__(self, app: ASGIApp, tabs: Tabs = _tabs) -> None:
        self._app = app
        self._tabs = tabs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is closed; pass on all else."""
        path = scope.get("path", "") if scope["type"] == "http" else ""
        if _METRICS.search(path) and not for_this_machine_alone():
            await _refusal(HTTPStatus.NOT_FOUND)(scope, receive, send)
        elif (upload := _UPLOAD.search(path)) and scope["method"] in ("PUT", "DELETE"):
            await self._upload(upload[1], upload[2], scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _upload(self, tab: str, file: str, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._tabs.is_in(tab):
            await _refusal(HTTPStatus.FORBIDDEN)(scope, receive, send)
            return
        if scope["method"] == "DELETE":
            self._tabs.drop(tab, file)
            await self._app(scope, receive, send)
            return
        size = Headers(scope=scope).get("content-length", "")  # the server takes no more than that
        if not size.isdecimal():
            await _refusal(HTTPStatus.LENGTH_REQUIRED)(scope, receive, send)
        elif self._tabs.take(tab, file, int(size)):
            try:
                await self._app(scope, receive, self._noting_failure(tab, file, send))
            except BaseException:  # the browser went away in the middle
                self._tabs.drop(tab, file)
                raise
        else:
            # As if it had come, and dropped as it comes: an error would leave the browser with a number in place of
            # a sentence, because the page, which can say one, is drawn again only after a file has come.
            while (await receive()).get("more_body", False):
                pass
            await Response(status_code=HTTPStatus.NO_CONTENT)(scope, receive, send)

    def _noting_failure(self, tab: str, file: str, send: Send) -> Send:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
                self._tabs.drop(tab, file)
            await send(message)

        return noting


def _refusal(status: HTTPStatus) -> Response:
    return PlainTextResponse(status.phrase, status)


def guarded() -> list[Middleware]:
    """The middleware that `streamlit.App` takes."""
    return [Middleware(GuardedEndpoints)]
