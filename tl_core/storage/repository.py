"""Things of one kind in the workspace, each in a folder that its id names: finding, listing and deleting them.

Ownership is checked here: what is found to be read may be seen by the person of the workspace,
and what is found to be changed is theirs. A page that forgets to check can neither show nor change what is not for
it.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from tl_core.errors import NotYoursError, TransferLearningError, WorkspaceError
from tl_core.storage.files import locked
from tl_core.storage.ownership import is_mine, may_see
from tl_core.storage.workspace import Workspace, is_id

logger = logging.getLogger(__name__)

DELETED: Final = ".deleted-"  # begins the name of a folder whose files are being removed

_ABANDONED: Final = 3600.0  # seconds after which no deletion is still at work

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Repository(Generic[T]):
    """The runs, the datasets or the imported models of a workspace.

    Every way to change one calls `require_mine` or `find_mine` first.
    """

    what: str  # one of them, for people: run, dataset, model
    folder: Callable[[Workspace], Path]  # that holds one folder for each
    read: Callable[[Path], T]  # from its folder; raises where there is none, or it is damaged
    missing: Callable[[], TransferLearningError]  # the sentence for an id that none of them can have
    age: Callable[[T], Any]  # the later one has the greater value

    def find(self, workspace: Workspace, item_id: str) -> T:
        """The one with this id, which may come from outside (a link), to be read.

        Raises:
            NotYoursError: it is somebody else's, who has not shared it.
            TransferLearningError: there is none, or it is damaged.
        """
        path = self._path(workspace, item_id)
        if not may_see(workspace, path):
            raise NotYoursError(
                f"This {self.what} is somebody else's: ask them to switch on “Everybody invited may see it” on its "
                "page."
            )
        return self.read(path)

    def find_mine(self, workspace: Workspace, item_id: str) -> T:
        """The one with this id, which may come from outside, to be changed.

        Raises:
            NotYoursError: it is somebody else's, shared or not.
            TransferLearningError: there is none, or it is damaged.
        """
        return self.read(self.require_mine(workspace, item_id))

    def require_mine(self, workspace: Workspace, item_id: str) -> Path:
        """The folder of the one with this id, if the person may change it, whether or not it is there.

        Raises:
            NotYoursError: it is somebody else's, shared or not.
            TransferLearningError: none can have this id.
        """
        path = self._path(workspace, item_id)
        if not is_mine(workspace, path):
            raise NotYoursError(f"This {self.what} is somebody else's, so only they can change it.")
        return path

    def list_all(self, workspace: Workspace) -> list[T]:
        """All that the person may see, newest first; one that cannot be read is logged and left out."""
        found = []
        for path in self.folder(workspace).glob("*"):
            if not is_id(path.name):
                continue
            try:
                if may_see(workspace, path):
                    found.append(self.read(path))
            except TransferLearningError as error:
                logger.warning("The %s %s is left out: %s", self.what, path.name, error)
        return sorted(found, key=self.age, reverse=True)

    def delete(self, workspace: Workspace, item_id: str) -> None:
        """Delete the one with this id; nothing happens if it is gone already.

        Raises:
            NotYoursError: it is somebody else's, shared or not.
            WorkspaceError: its files cannot be removed.
        """
        discard_folder(self.require_mine(workspace, item_id))

    def _path(self, workspace: Workspace, item_id: str) -> Path:
        if not is_id(item_id):
            raise self.missing()
        return self.folder(workspace) / item_id


def discard_folder(path: Path) -> None:
    """Remove a folder; it vanishes from every list in one step, before its files are removed.

    Raises:
        WorkspaceError: a file cannot be removed.
    """
    doomed = path.with_name(f"{DELETED}{path.name}")
    try:
        with locked(path):  # else a thread that changes a record at this moment would create the folder again
            path.rename(doomed)
    except FileNotFoundError:
        return  # gone already
    except OSError as error:
        raise _cannot_delete(path, error) from error
    try:
        shutil.rmtree(doomed)
    except OSError as error:
        raise _cannot_delete(path, error) from error
    # What deletions left whose process was ended in their middle: nothing lists it, and it takes room.
    for left in path.parent.glob(f"{DELETED}*"):
        with contextlib.suppress(FileNotFoundError):  # another deletion has just come to its end
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)


def _cannot_delete(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{path.name} could not be deleted ({error.strerror}): close programs that use it and try again."
    )
