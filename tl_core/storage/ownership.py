"""The owner of a run, a dataset or an imported model, where people log in, and who else may see it.

A `Workspace` is opened for a person (`Workspace.person`); lists and lookups check here, so
that no page can forget to. Things without an owner, made without a login or on the command line, are everybody's; a
workspace without a person shows all.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tl_core.errors import NotYoursError, WorkspaceError
from tl_core.storage.files import read_json, write_json
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

FILE: Final = "belongs.json"  # in the folder of a run, a dataset or a model
_KEY_FILE: Final = ".people-key"
_KEY_BYTES: Final = 32
_NOBODY: Final = "nobody"


@dataclass(frozen=True, slots=True)
class Belonging:
    """Whose something is."""

    person: str | None = None  # from `person_id`; None = everybody's
    shared: bool = False  # whether everybody who is let in may see it


def person_id(workspace: Workspace, email: str) -> str:
    """A name for a person that does not reveal their address: 32 hexadecimal digits.

    HMAC-SHA-256 (RFC 2104) of the address under a key that is stored in the workspace, so that addresses cannot be
    guessed from what is stored beside runs, and persons stay the same when the workspace is moved.

    Args:
        workspace: whose key is used; it is made when first needed, readable by its owner alone.
        email: large and small letters are the same.
    """
    return hmac.new(_key(workspace.root / _KEY_FILE), email.casefold().encode(), hashlib.sha256).hexdigest()[:32]


def claim(workspace: Workspace, folder: Path) -> None:
    """Make the person of the workspace, if there is one, the owner of a new folder.

    Raises:
        WorkspaceError: it cannot be written.
    """
    if workspace.person is not None:
        write_json(folder / FILE, asdict(Belonging(workspace.person)))


def belonging(folder: Path) -> Belonging:
    """Whose the thing in this folder is.

    Where the file of the owner is damaged it is shown to no person.
    """
    try:
        values = read_json(folder / FILE)
        return Belonging(str(values["person"]), values["shared"] is True)
    except FileNotFoundError:
        return Belonging()
    except (WorkspaceError, KeyError, TypeError):
        logger.warning("Nobody is shown %s: its file %s is damaged.", folder.name, FILE)
        return Belonging(_NOBODY)


def is_mine(workspace: Workspace, folder: Path) -> bool:
    """Whether the person may change, stop and delete it: it is theirs, or everybody's."""
    return workspace.person is None or belonging(folder).person in (None, workspace.person)


def may_see(workspace: Workspace, folder: Path) -> bool:
    """Whether the person may see it."""
    if workspace.person is None:
        return True
    found = belonging(folder)
    return found.shared or found.person in (None, workspace.person)


def share(workspace: Workspace, folder: Path, shared: bool) -> None:
    """Share it with everybody who is let in, or with nobody any more.

    Raises:
        NotYoursError: it is somebody else's, or everybody's already.
        WorkspaceError: it cannot be written.
    """
    found = belonging(folder)
    if found.person is None or found.person != workspace.person:
        raise NotYoursError("Only what is yours alone can be shared.")
    write_json(folder / FILE, asdict(Belonging(found.person, shared)))


def _key(path: Path) -> bytes:
    """The key of the workspace, the same for all threads."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
    try:
        os.link(temporary, path)  # fails if somebody else was first; theirs counts
    except FileExistsError:
        pass
    except OSError:  # a disk without links, such as FAT
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path.read_bytes()
