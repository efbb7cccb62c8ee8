"""Downloads a network with the maintained client of its hub, in a process that can be ended at any time.

The clients (``kagglehub`` for Kaggle Models, ``huggingface_hub`` for Hugging Face; optional packages, and those that
KerasHub itself downloads with) follow the redirections and go on with what is there of an earlier attempt. Started by
`fetch` as ``python -m tl_core.imported_models.networks.fetching HANDLE``, it answers with two lines of JSON; what it
prints besides goes to standard error.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tl_core.data.imports.download import DOWNLOADING
from tl_core.errors import ModelFileError
from tl_core.imported_models.networks.addresses import HUGGING_FACE
from tl_core.imported_models.networks.preset import FILES, MOST_BYTES
from tl_core.machine.child_process import end_process, start_python, with_our_code
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.quota import require_within_quota
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

ENDPOINT: Final = "KAGGLE_API_ENDPOINT"  # names a mirror
CACHE: Final = "KAGGLEHUB_CACHE"
ATTEMPTS: Final = 5  # each goes on where the one before was cut off
MOST_DOWNLOADED: Final = 3 * MOST_BYTES  # Kaggle Models also sends the heads and words of a preset
_INTERVAL: Final = 0.2  # seconds between two looks at what has arrived
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0)  # seconds before the next attempt
_STOPPED: Final = "Stopped while the network was being downloaded; what has arrived is kept for the next time."


@dataclass(frozen=True, slots=True)
class _Hub:
    """Where networks are, and how they are downloaded."""

    title: str
    package: str  # its client
    pip: str  # what to install for it
    terms: str  # what to do where a network has terms to agree to
    download: Callable[[str, Path, Callable[..., None]], None]  # handle, folder, and who is told


def fetch(handle: str, workspace: Workspace, task: TaskContext = UNATTENDED) -> Path:
    """Download a network, unless it is here; gives the folder of its files.

    Args:
        handle: see `tl_core.imported_models.networks.addresses.handle_of`.
        task: told the bytes done and in all.

    Raises:
        ModelFileError: it cannot be downloaded; the message says what to do.
        WorkspaceError: the workspace has no room for it.
        StoppedError: a stop was requested; what has arrived is kept.
    """
    hub = _hub_of(handle)
    if importlib.util.find_spec(hub.package) is None:
        raise ModelFileError(
            f"Networks of {hub.title} are downloaded by the package {hub.pip}, which is not installed: run “pip "
            f"install {hub.pip}”, or bring the network as a folder or tar.gz."
        )
    cache = downloads(workspace)
    cache.mkdir(parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        answer = _attempt(handle, workspace, task)
        if "path" in answer:
            return Path(answer["path"])
        if not answer.get("again") or attempt == ATTEMPTS - 1:
            break
        _wait(_PAUSES[attempt] if answer.get("wait") else 0.0, task)
    raise ModelFileError(_sentence(handle, hub, answer))


def downloads(workspace: Workspace) -> Path:
    """Where what was downloaded lies until it is brought."""
    return Path(os.environ.get(CACHE) or workspace.weights / "downloads")


def forget_download(handle: str, workspace: Workspace) -> None:
    """Delete what was downloaded of a network, once it is among the backbones; a cache of the person's own stays."""
    if CACHE not in os.environ:
        shutil.rmtree(_folder_of(handle, downloads(workspace)), ignore_errors=True)


def _attempt(handle: str, workspace: Workspace, task: TaskContext) -> dict[str, Any]:
    cache = downloads(workspace)
    with tempfile.TemporaryFile() as printed:
        process = start_python(
            ("-m", "tl_core.imported_models.networks.fetching", handle),
            {**os.environ, CACHE: str(cache), "PYTHONPATH": with_our_code(), "KAGGLEHUB_VERBOSITY": "error"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=printed,
        )
        assert process.stdout is not None  # noqa: S101  # a pipe, as requested
        try:
            with process.stdout as lines:
                first = _told(lines.readline())  # the total, or already why it failed
                total = first.pop("total", 0)
                _require_small(handle, total)
                require_within_quota(workspace, needed=total)
                while process.poll() is None:
                    here = _bytes_below(_folder_of(handle, cache))
                    _require_small(handle, here)  # not every answer has the total
                    task.report(min(here, total or here), max(total, here, 1), DOWNLOADING)
                    task.stop_if_asked(_STOPPED)
                    time.sleep(_INTERVAL)
                answer = _told(lines.readline()) or first
        finally:
            end_process(process, grace=0)
        if not answer:
            printed.seek(0)
            logger.warning("A download ended: %s", printed.read().decode("utf-8", "replace")[-4000:])
    return answer or {"again": True, "reason": "the download ended by itself"}


def _require_small(handle: str, size: int) -> None:
    if size > MOST_DOWNLOADED:
        raise ModelFileError(
            f"The network {handle} has {size / 1e6:,.0f} MB, more than the {MOST_DOWNLOADED / 1e6:,.0f} MB that are "
            "downloaded: bring a smaller one."
        )


def _told(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _wait(seconds: float, task: TaskContext) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        task.stop_if_asked(_STOPPED)
        time.sleep(min(_INTERVAL, seconds))


def _folder_of(handle: str, cache: Path) -> Path:
    """Where the files of a network arrive."""
    if handle.startswith(HUGGING_FACE):
        return cache / "huggingface" / handle.removeprefix(HUGGING_FACE).replace("/", "--")
    return cache / "models" / Path(*handle.split("/")[:4])


def _sentence(handle: str, hub: _Hub, answer: dict[str, Any]) -> str:
    status = answer.get("status")
    if status == 404:
        return f"There is no network {handle} at {hub.title}: look at the address once more."
    if status in (401, 403):
        return f"{hub.title} gives {handle} only to people who have agreed to its terms: open its page, {hub.terms}."
    if status == 429:
        return f"{hub.title} asks to wait, because too much was downloaded from here: try again in some minutes."
    reason = f"the server answered {status}" if status else answer.get("reason") or "there is no connection to it"
    return (
        f"The network {handle} could not be downloaded, because {reason}: try again, or bring it as a tar.gz from "
        "another machine."
    )


def main(handle: str) -> None:
    """Download, and print where it is or why not."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    try:
        _hub_of(handle).download(handle, Path(os.environ[CACHE]), tell)
    except OSError as error:
        tell(reason=f"the connection failed ({type(error).__name__})")


def _from_kaggle(handle: str, _cache: Path, tell: Callable[..., None]) -> None:
    import kagglehub
    import requests
    from kagglehub import exceptions
    from kagglesdk import kaggle_env

    if mirror := os.environ.get(ENDPOINT):
        kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = mirror.rstrip("/")
    try:
        tell(total=_total(handle))
        tell(path=kagglehub.model_download(handle))
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else None
        tell(status=status, again=status in _FOR_NOW, wait=True)
    except exceptions.DataCorruptionError:
        tell(again=True, reason=_NOT_WHOLE)
    except (requests.RequestException, OSError) as error:
        cut = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
        tell(again=isinstance(error, cut), reason=f"the connection failed ({type(error).__name__})")


def _total(handle: str) -> int:
    """Bytes of all files, as the server lists them."""
    from kagglehub.clients import build_kaggle_client
    from kagglehub.handle import parse_model_handle
    from kagglesdk.models.types.model_api_service import ApiListModelInstanceVersionFilesRequest

    parsed = parse_model_handle(handle)
    request = ApiListModelInstanceVersionFilesRequest()
    request.owner_slug, request.model_slug = parsed.owner, parsed.model
    request.framework, request.instance_slug = parsed.framework_enum(), parsed.variation
    if parsed.version:
        request.version_number = parsed.version
    else:
        return 0  # of the newest version, which the client looks up
    with build_kaggle_client() as client:
        files = client.models.model_api_client.list_model_instance_version_files(request).files
    return sum(entry.size for entry in files)


def _from_hugging_face(handle: str, cache: Path, tell: Callable[..., None]) -> None:
    """The files of a preset, each compared with the checksum that the hub lists."""
    import httpx2  # that the client is made with
    import huggingface_hub
    from huggingface_hub import errors

    repository, _, revision = handle.removeprefix(HUGGING_FACE).partition("@")
    folder = _folder_of(handle, cache)
    try:
        found = huggingface_hub.HfApi().model_info(repository, revision=revision or None, files_metadata=True)
        wanted = [entry for entry in found.siblings or () if entry.rfilename in FILES]
        tell(total=sum(entry.size or 0 for entry in wanted))
        for entry in wanted:
            huggingface_hub.hf_hub_download(repository, entry.rfilename, revision=found.sha, local_dir=folder)
            path = folder / entry.rfilename
            if entry.lfs is not None and _sha256(path) != entry.lfs.sha256:
                path.unlink()
                return tell(again=True, reason=_NOT_WHOLE)
        tell(path=str(folder))
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        # What is not there for this person is answered with 401, so that nobody learns of what is private.
        status = 404 if isinstance(error, errors.RepositoryNotFoundError) else status
        tell(status=status, again=status in _FOR_NOW, wait=True)
    except (httpx2.HTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        tell(
            again=not isinstance(error, httpx2.ConnectError), reason=f"the connection failed ({type(error).__name__})"
        )
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_FOR_NOW: Final = (429, 500, 502, 503, 504)  # statuses after which another attempt may do
_NOT_WHOLE: Final = "what arrived did not have its checksum"
_KAGGLE: Final = _Hub(
    "Kaggle Models",
    "kagglehub",
    "kagglehub",
    "agree, and put a token into KAGGLE_API_TOKEN",
    _from_kaggle,
)
_HUGGING_FACE: Final = _Hub(
    "Hugging Face", "huggingface_hub", "huggingface-hub", "agree, and put a token into HF_TOKEN", _from_hugging_face
)


def _hub_of(handle: str) -> _Hub:
    return _HUGGING_FACE if handle.startswith(HUGGING_FACE) else _KAGGLE


if __name__ == "__main__":
    main(sys.argv[1])
