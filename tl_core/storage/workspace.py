"""The folders of the workspace: datasets, runs, caches and provided weights."""

from __future__ import annotations

import math
import os
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from tl_core.errors import ConfigError, WorkspaceError

DEFAULT_WORKSPACE = "workspace"

_UNSAFE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Workspace:
    """One folder with everything in it; copy it and you have copied all your work."""

    root: Path
    # The person it is opened for, where people log in (`tl_core.storage.ownership`); None = all.
    person: str | None = field(default=None, compare=False)

    @classmethod
    def from_environment(cls) -> Workspace:
        """The folder named by ``TL_WORKSPACE``, else ``./workspace``."""
        return cls(Path(os.environ.get("TL_WORKSPACE") or DEFAULT_WORKSPACE).expanduser().resolve())

    @property
    def datasets(self) -> Path:
        """One folder per dataset, named by its id."""
        return self.root / "datasets"

    @property
    def runs(self) -> Path:
        """One folder per run, named by its id."""
        return self.root / "runs"

    @property
    def cache(self) -> Path:
        """Features and resized images; may be deleted at any time and is made again."""
        return self.root / "cache"

    @property
    def weights(self) -> Path:
        """Pretrained weights that a person provided as files."""
        return self.root / "weights"

    @property
    def models(self) -> Path:
        """Imported models: one folder per model, named by its id."""
        return self.root / "models"

    @property
    def drafts(self) -> Path:
        """Pictures chosen for a training that has not been started; a few, for a day."""
        return self.root / "drafts"

    @property
    def collections(self) -> Path:
        """Pictures that were brought and are not a dataset yet: one folder per collection, named by its id."""
        return self.root / "collections"

    @property
    def speeds(self) -> Path:
        """How fast this machine trains; may be deleted at any time and is measured again."""
        return self.root / "speeds"

    @property
    def logs(self) -> Path:
        """The log of the server; each run has a log of its own."""
        return self.root / "logs"

    def ensure(self) -> Workspace:
        """Create the folders and prove that they can be written.

        Raises:
            WorkspaceError: a folder cannot be created or written.
        """
        try:
            for folder in (self.datasets, self.runs, self.cache, self.weights, self.models):
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / f".probe-{secrets.token_hex(4)}"
                probe.touch()
                probe.unlink()
        except OSError as error:
            raise WorkspaceError(
                f"The workspace folder “{self.root.name}” cannot be written ({error.strerror}): give this "
                "program write access to it, or name another folder in TL_WORKSPACE."
            ) from error
        return self


def gigabytes_from_environment(variable: str, default: float) -> int:
    """A bound that the operator may set, in bytes.

    Args:
        variable: of the environment, a number of 10^9 bytes.
        default: the number where it is not set.

    Raises:
        ConfigError: it is no number of at least 0.
    """
    text = os.environ.get(variable) or str(default)
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < math.inf:
        raise ConfigError(f"{variable} must be a number of gigabytes, 0 or more. Received: {text!r}.")
    return round(limit * 1e9)


def new_id(name: str) -> str:
    """A folder name that names its content and cannot be guessed: ``slug-`` and 32 hexadecimal digits."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = _UNSAFE.sub("-", ascii_name).strip("-")[:40].strip("-") or "item"
    return f"{slug}-{secrets.token_hex(16)}"


def short_id(item_id: str) -> str:
    """An id as part of a file name: still telling one from another, and shorter."""
    return item_id[:-25]


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of `new_id`, and so is safe as one path component."""
    return re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}-[0-9a-f]{32}", text) is not None
