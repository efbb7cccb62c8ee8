"""Downloading a known file on request: bounded, checked, and resumed where it was interrupted."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tl_core.data.imports.building import require_room
from tl_core.errors import DataError
from tl_core.machine.pool import KeyedLocks
from tl_core.machine.progress import UNATTENDED, TaskContext

DOWNLOADING: Final = "Downloading"  # the text of its progress: bytes are counted, not images
TIMEOUT_SECONDS: Final = 30.0  # without a byte, then the network counts as lost
_CHUNK: Final = 256 * 1024
_STOPPED: Final = "The download was stopped; it goes on from there the next time."
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)

_downloads = KeyedLocks()  # two users must not write to the same part


@dataclass(frozen=True, slots=True)
class Download:
    """A file on the network, as its publisher describes it."""

    url: str
    size: int  # bytes
    sha256: str | None = None  # None where the publisher gives none; the size is checked in any case

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rsplit("/", 1)[-1]


def fetch(file: Download, folder: Path, task: TaskContext = UNATTENDED) -> Path:
    """Download into ``folder`` and return the complete, checked file.

    What arrives is kept in a ``.part`` file beside it; an interrupted download goes on from there next time.

    Args:
        file: what to download.
        folder: where to; made if it is missing.
        task: told the bytes here and the bytes expected; checked for a stop between blocks.

    Raises:
        DataError: the network or the server fails, or the file is not the expected one.
        WorkspaceError: the disk is too full.
        StoppedError: a stop was requested.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.file_name
    with _downloads.hold(target, while_waiting=lambda: task.stop_if_asked(_STOPPED)):
        if target.exists():
            return target
        require_room(folder, file.size)
        part = target.with_name(f"{target.name}.part")
        _complete(file, part, task)
        _check(file, part)
        return part.replace(target)


def _complete(file: Download, part: Path, task: TaskContext) -> None:
    """Add to ``part`` what is missing; what is there stays when the network breaks."""
    here = part.stat().st_size if part.exists() else 0
    if here > file.size:
        part.unlink()
        here = 0
    if here == file.size:
        return
    headers = {"User-Agent": "transfer-learning-dashboard", **({"Range": f"bytes={here}-"} if here else {})}
    request = urllib.request.Request(file.url, headers=headers)  # noqa: S310 - addresses come from our own table
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
            here = here if resumed else 0
            with part.open("ab" if resumed else "wb") as output:
                while block := answer.read(_CHUNK):
                    task.stop_if_asked(_STOPPED)
                    here += len(block)
                    output.write(block)
                    if here > file.size:  # another file than the one described; it is refused below
                        return
                    task.report(here, file.size, DOWNLOADING)
    except _NETWORK_ERRORS as error:
        raise DataError(
            f"The download of {file.size / 1e6:.0f} MB needs the network, which failed ({_reason(error)}): try later."
        ) from error


def _check(file: Download, part: Path) -> None:
    size = part.stat().st_size
    if size < file.size:
        raise DataError(f"The download broke off after {size / 1e6:.0f} of {file.size / 1e6:.0f} MB: try again.")
    with part.open("rb") as content:
        right = file.sha256 is None or hashlib.file_digest(content, "sha256").hexdigest() == file.sha256
    if size > file.size or not right:
        part.unlink()
        raise DataError(
            "The downloaded file is not the one that was published, so it was thrown away: try again later."
        )


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    cause = getattr(error, "reason", error)
    return str(getattr(cause, "strerror", None) or cause or type(error).__name__)
