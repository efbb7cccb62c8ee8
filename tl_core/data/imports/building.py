"""The ground work of an import: a hidden folder that appears in one step, threads, and room on the disk."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from tl_core.data.dataset import IMAGES
from tl_core.errors import WorkspaceError
from tl_core.storage.ownership import claim
from tl_core.storage.quota import require_within_quota
from tl_core.storage.workspace import Workspace

RESERVED_BYTES: Final = 2_000_000_000  # of the disk that an import leaves free, at most ...
RESERVED_SHARE: Final = 0.1  # ... and at most this share of a small disk
STOPPED: Final = "The import was stopped; nothing of it was kept."

_PREFIX: Final = ".importing-"
_STALE_SECONDS: Final = 24 * 3600

T = TypeVar("T")
R = TypeVar("R")


@contextlib.contextmanager
def building(workspace: Workspace, source_bytes: int) -> Iterator[Path]:
    """A hidden folder beside the datasets, removed at the end of the block unless it was renamed.

    Raises:
        WorkspaceError: the disk or the workspace's quota has no room for it, or it cannot be written.
    """
    workspace.ensure()
    remove_stale(workspace)
    require_within_quota(workspace, source_bytes)
    require_room(workspace.datasets, source_bytes)
    folder = workspace.datasets / f"{_PREFIX}{secrets.token_hex(8)}"
    try:
        (folder / IMAGES).mkdir(parents=True)
        claim(workspace, folder)
        yield folder
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WorkspaceError(
            f"The workspace cannot be written ({reason}), so nothing was imported: free some disk space."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def store_once(path: Path, content: bytes) -> None:
    """Write a file named by its content; several threads may write the same one."""
    if path.exists():
        return
    temporary = path.with_name(f".writing-{secrets.token_hex(8)}")
    temporary.write_bytes(content)
    temporary.replace(path)


def in_threads(work: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
    """``map(work, items)`` in as many threads as there are free cores, in order, a few items ahead at most.

    Close it when leaving early: it then waits for the threads.
    """
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(min(threads, 16), thread_name_prefix="decode-images") as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > 2 * threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def require_room(folder: Path, needed_bytes: int) -> None:
    """Require room for ``needed_bytes`` on the disk, with a reserve left over.

    Raises:
        WorkspaceError: there is too little.
    """
    disk = shutil.disk_usage(folder)
    reserve = min(RESERVED_BYTES, int(RESERVED_SHARE * disk.total))
    if disk.free < needed_bytes + reserve:
        raise WorkspaceError(
            f"The disk has {disk.free / 1e9:.1f} GB left, and {(needed_bytes + reserve) / 1e9:.1f} GB should be free "
            "for this: delete old datasets or runs, or choose another disk with TL_WORKSPACE."
        )


def remove_stale(workspace: Workspace) -> None:
    """Remove what imports and deletions left behind that were killed more than a day ago."""
    for folder in workspace.datasets.glob(".*-*"):
        with contextlib.suppress(OSError):
            newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if time.time() - newest > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
