"""Downloads a network with the maintained client of Kaggle Models, in a process that can be ended at any time.

The client (``kagglehub``, an optional package) follows the redirections, goes on with what is there of an earlier
attempt and compares checksums. Started by `fetch` as ``python -m tl_core.imported_models.networks.fetching HANDLE``,
it answers with one line of JSON; what it prints besides goes to standard error.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from tl_core.data.imports.download import DOWNLOADING
from tl_core.errors import ModelFileError
from tl_core.machine.child_process import end_process, start_python, with_our_code
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

ENDPOINT: Final = "KAGGLE_API_ENDPOINT"  # names a mirror
CACHE: Final = "KAGGLEHUB_CACHE"
ATTEMPTS: Final = 5  # each goes on where the one before was cut off
_INTERVAL: Final = 0.2  # seconds between two looks at what has arrived
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0)  # seconds before the next attempt
_STOPPED: Final = "Stopped while the network was being downloaded; what has arrived is kept for the next time."


def fetch(handle: str, workspace: Workspace, task: TaskContext = UNATTENDED) -> Path:
    """Download a network, unless it is here; gives the folder of its files.

    Args:
        handle: see `tl_core.imported_models.networks.addresses.handle_of`.
        task: told the bytes done and in all.

    Raises:
        ModelFileError: it cannot be downloaded; the message says what to do.
        StoppedError: a stop was requested; what has arrived is kept.
    """
    if importlib.util.find_spec("kagglehub") is None:
        raise ModelFileError(
            "Networks of Kaggle Models and TF Hub are downloaded by the package kagglehub, which is not installed: "
            "run “pip install kagglehub”, or bring the network as a tar.gz."
        )
    cache = downloads(workspace)
    cache.mkdir(parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        answer = _attempt(handle, cache, task)
        if "path" in answer:
            return Path(answer["path"])
        if not answer.get("again") or attempt == ATTEMPTS - 1:
            break
        _wait(_PAUSES[attempt] if answer.get("wait") else 0.0, task)
    raise ModelFileError(_sentence(handle, answer))


def downloads(workspace: Workspace) -> Path:
    """Where what was downloaded lies until it is brought."""
    return Path(os.environ.get(CACHE) or workspace.weights / "downloads")


def _attempt(handle: str, cache: Path, task: TaskContext) -> dict[str, Any]:
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
                total = _told(lines.readline()).get("total", 0)
                while process.poll() is None:
                    here = _bytes_below(cache / "models" / Path(*handle.split("/")[:4]))
                    task.report(min(here, total or here), max(total, here, 1), DOWNLOADING)
                    task.stop_if_asked(_STOPPED)
                    time.sleep(_INTERVAL)
                answer = _told(lines.readline())
        finally:
            end_process(process, grace=0)
        if not answer:
            printed.seek(0)
            logger.warning("A download ended: %s", printed.read().decode("utf-8", "replace")[-4000:])
    return answer or {"again": True, "reason": "the download ended by itself"}


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


def _sentence(handle: str, answer: dict[str, Any]) -> str:
    status = answer.get("status")
    if status == 404:
        return f"There is no network {handle} at Kaggle Models: look at the address once more."
    if status in (401, 403):
        return (
            f"Kaggle Models gives {handle} only to people who have agreed to its terms: open its page, agree, and "
            "put a token into KAGGLE_API_TOKEN."
        )
    if status == 429:
        return "Kaggle Models asks to wait, because too much was downloaded from here: try again in some minutes."
    reason = f"the server answered {status}" if status else answer.get("reason") or "there is no connection to it"
    return (
        f"The network {handle} could not be downloaded, because {reason}: try again, or bring it as a tar.gz from "
        "another machine."
    )


def main(handle: str) -> None:
    """Download, and print where it is or why not."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import kagglehub
    import requests
    from kagglehub import exceptions
    from kagglesdk import kaggle_env

    if mirror := os.environ.get(ENDPOINT):
        kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = mirror.rstrip("/")

    def tell(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    try:
        tell(total=_total(handle))
        tell(path=kagglehub.model_download(handle))
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else None
        tell(status=status, again=status in (429, 500, 502, 503, 504), wait=True)
    except exceptions.DataCorruptionError:
        tell(again=True, reason="what arrived did not have its checksum")
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


if __name__ == "__main__":
    main(sys.argv[1])
