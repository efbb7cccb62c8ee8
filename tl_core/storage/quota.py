"""The quota of the workspace: its limit, what takes the space, and what could be deleted."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from tl_core.errors import WorkspaceError
from tl_core.storage.format import size as format_size
from tl_core.storage.workspace import Workspace, gigabytes_from_environment

DEFAULT_LIMIT_GB: Final = 20.0  # 10^9 bytes; TL_WORKSPACE_GB overrides
NEARLY_FULL: Final = 0.8  # of the limit; from here on old runs are offered for deletion
_REMEMBERED_SECONDS: Final = 60.0

# Part of the workspace -> its name on pages, and how to free space in it.
_PARTS: Final = {
    "datasets": ("datasets", "delete datasets you no longer need on the Data page"),
    "collections": ("pictures not yet a dataset", "finish or delete what you collect or label on the Data page"),
    "runs": ("runs", "delete runs you no longer need on the Runs page"),
    "cache": ("kept for speed", "press “Free this space” on the Runs page"),
    "models": ("models from files", "forget models you no longer need on the Predict page"),
    "weights": ("pretrained weights", "delete networks you no longer need on the Runs page"),
}


@dataclass(frozen=True, slots=True)
class Usage:
    """What the workspace takes on the disk."""

    parts: dict[str, int]  # folder -> bytes, for every folder of the workspace that counts
    limit: int  # bytes

    @property
    def total(self) -> int:
        """Bytes of all parts."""
        return sum(self.parts.values())

    @property
    def nearly_full(self) -> bool:
        """Whether it is time to think of deleting something."""
        return self.total > NEARLY_FULL * self.limit

    @property
    def excess(self) -> int:
        """Bytes that would have to go for it not to be nearly full."""
        return max(0, self.total - int(NEARLY_FULL * self.limit))


def usage(workspace: Workspace) -> Usage:
    """Measure the workspace; it takes about a second for a hundred thousand files.

    Raises:
        ConfigError: ``TL_WORKSPACE_GB`` is no number of at least 0.
    """
    limit = gigabytes_from_environment("TL_WORKSPACE_GB", DEFAULT_LIMIT_GB)
    return Usage({name: folder_bytes(workspace.root / name) for name in _PARTS}, limit)


def recent_usage(workspace: Workspace) -> Usage:
    """As `usage`, at most a minute old: for pages, which are drawn often."""
    with _lock:
        kept = _kept.get(workspace.root)
        if kept is None or time.monotonic() - kept[0] > _REMEMBERED_SECONDS:
            kept = _kept[workspace.root] = (time.monotonic(), usage(workspace))
        return kept[1]


def forget_usage(workspace: Workspace) -> None:
    """Measure again at the next call, because something was deleted."""
    with _lock:
        _kept.pop(workspace.root, None)


def require_within_quota(workspace: Workspace, needed: int = 0) -> None:
    """Require that the workspace may take ``needed`` more bytes.

    Raises:
        WorkspaceError: it may not; the sentence names what takes the space and what to do.
        ConfigError: ``TL_WORKSPACE_GB`` is no number of at least 0.
    """
    found = usage(workspace)
    if found.total + needed < found.limit:
        return
    largest = sorted(found.parts, key=lambda name: found.parts[name], reverse=True)
    taken = ", ".join(f"{_PARTS[name][0]} {format_size(found.parts[name])}" for name in largest if found.parts[name])
    more = f", and this needs up to {format_size(needed)} more" if needed else ""
    raise WorkspaceError(
        f"The workspace holds {format_size(found.total)} of the {format_size(found.limit)} allowed"
        f"{f' ({taken})' if taken else ''}{more}: {_PARTS[largest[0]][1]}, or allow more with TL_WORKSPACE_GB."
    )


def folder_bytes(folder: Path) -> int:
    """Bytes of all files under a folder, hidden ones included; what vanishes meanwhile is left out."""
    total, folders = 0, [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def enough_of(sizes: Sequence[int], wanted: int) -> int:
    """How many of the first ``sizes`` add up to ``wanted``; all of them if they never do."""
    return min(len(sizes), bisect_left(list(accumulate(sizes, initial=0)), wanted))


_kept: dict[Path, tuple[float, Usage]] = {}
_lock = threading.Lock()
