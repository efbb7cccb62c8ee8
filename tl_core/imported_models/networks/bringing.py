"""Bringing a network: from an address, a folder or a file to a backbone that the form offers."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import queue
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from tl_core.backbones.networks import (
    NETWORK,
    Network,
    list_networks,
    network_id,
    networks_folder,
    save_network,
)
from tl_core.errors import ModelFileError
from tl_core.imported_models.check.architecture import NETWORKS
from tl_core.imported_models.check.model_file import check_model_file
from tl_core.imported_models.networks.addresses import (
    INSTALL,
    handle_of,
    is_address,
    no_such_preset,
    size_in,
    title_of,
)
from tl_core.imported_models.networks.fetching import fetch, forget_download
from tl_core.imported_models.networks.preset import CONFIG, check_preset, is_preset
from tl_core.imported_models.networks.saved_model import MOST_BYTES, MOST_FILES, PROTO, check_files
from tl_core.imported_models.sandbox.frames import Frame, read_frame
from tl_core.machine.child_process import end_process, start_python, with_our_code
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.runs.store import now
from tl_core.storage.files import sha256_of
from tl_core.storage.ownership import claim
from tl_core.storage.quota import forget_usage, require_within_quota
from tl_core.storage.repository import discard_folder
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

PROGRAM: Final = "tl_core.imported_models.networks.opening"
SECONDS: Final = 300.0  # for opening, rebuilding and comparing a network
MEMORY_BYTES: Final = 8 << 30  # of the process that does it
_VARIABLES: Final = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TEMP", "TMPDIR", "VIRTUAL_ENV")
_INTERVAL: Final = 0.1  # seconds between two looks at clock, memory and task
_STOPPED: Final = "Bringing the network was stopped; nothing of it was kept."
_UNUSUAL: Final = re.compile(r"[^\w .-]")  # in a title, which pages show as it is
_TITLE: Final = 60  # characters
_STAGES: Final = 6.0
_DEEPEST: Final = 3  # folders in folders that are looked through for a network
_DAMAGED: Final = "The archive is damaged or cut off, or holds something else than files: download it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a person may say about a network that says nothing itself."""

    title: str = ""
    image_size: int | None = None  # pixels, where it takes any
    scaling: str = ""  # see `tl_core.backbones.registry`; empty: as it says, else as its hub has it


def bring_network(
    workspace: Workspace, source: str | Path, wishes: Wishes | None = None, task: TaskContext = UNATTENDED
) -> Network:
    """Find, check and rebuild a network, and store it among the backbones; one that is there already is not made
    twice.

    Args:
        source: an address of TF Hub, Kaggle Models or Hugging Face; the name of a preset of KerasHub; a folder or
            tar.gz with a SavedModel or a preset; a ``.keras`` file.
        task: told how far it is; checked several times a second.

    Raises:
        ModelFileError: it cannot be had, or is refused; the message is one sentence.
        StoppedError: a stop was requested.
        WorkspaceError: the workspace is full or cannot be written.
    """
    wishes, handle = wishes or Wishes(), ""
    with contextlib.ExitStack() as stack:
        if isinstance(source, str) and is_address(source):
            handle = handle_of(source)
            size = wishes.image_size or size_in(handle)
            found, title, origin = fetch(handle, workspace, task.part(0.0, 0.7)), title_of(handle), handle
            wishes = Wishes(title=wishes.title or title, image_size=size, scaling=wishes.scaling)
        else:
            path = Path(source)
            if isinstance(source, str) and not _is_there(path) and (unknown := no_such_preset(source)):
                raise unknown
            found = stack.enter_context(_opened(path))
            title, origin = path.name.partition(".")[0] or "network", path.name
        require_within_quota(workspace, needed=_size_of(found))
        folder = networks_folder(workspace)
        folder.mkdir(parents=True, exist_ok=True)
        target = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".bringing-", dir=folder))) / "network"
        target.mkdir()
        values = _rebuild(found, target, wishes, task.part(0.7, 1.0) if handle else task)
        name = _UNUSUAL.sub(" ", wishes.title or title).strip()[:_TITLE] or "network"
        network = _store(workspace, target, values, name, origin)
    if handle:
        forget_download(handle, workspace)
    return network


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Path]:
    """The folder of a SavedModel or preset, or the ``.keras`` file; an archive is unpacked as long as the block
    runs."""
    if not _is_there(path):
        raise ModelFileError(f"There is no file or folder “{str(path)[:200]}”: name one, or paste an address.")
    if path.is_dir():
        yield _folder_of_network(path)
    elif path.suffix == ".keras":
        yield path
    else:
        with tempfile.TemporaryDirectory() as temporary:
            _unpack(path, Path(temporary))
            yield _folder_of_network(Path(temporary))


def _is_there(path: Path) -> bool:
    """Whether it is there and may be looked at; a text that can be no path is not there."""
    try:
        return path.exists()
    except OSError:
        return False


def _folder_of_network(folder: Path) -> Path:
    """The folder in it that has a SavedModel or a preset; itself where there is neither, to say what is missing."""
    for name, kind in ((PROTO, "SavedModels"), (CONFIG, "presets")):
        found = [path for depth in range(_DEEPEST + 1) for path in sorted(folder.glob("*/" * depth + name))]
        if len(found) > 1:
            raise ModelFileError(f"There are {len(found)} {kind} in it: bring one of them.")
        if found:
            return found[0].parent
    return folder


_ARCHIVES: Final = (".tar.gz", ".tgz", ".tar")


def _unpack(path: Path, target: Path) -> None:
    try:
        with tarfile.open(path, "r:*") as archive:
            members, size = 0, 0
            for member in archive:
                members, size = members + 1, size + member.size
                if members > 2 * MOST_FILES or size > MOST_BYTES:
                    raise ModelFileError(
                        f"The archive holds more than the {MOST_FILES} files and {MOST_BYTES / 1e6:.0f} MB of a "
                        "network: it is not unpacked; name the folder instead."
                    )
                if not (member.isfile() or member.isdir()):
                    raise ModelFileError(_DAMAGED)
                archive.extract(member, target, filter="data")
    except tarfile.ReadError as error:
        damaged = " that is not damaged" if path.name.endswith(_ARCHIVES) else ""
        raise ModelFileError(
            f"“{path.name[:100]}” is not a network: choose a tar.gz with a SavedModel{damaged}, or a .keras file."
        ) from error
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise ModelFileError(_DAMAGED) from error


def _size_of(found: Path) -> int:
    if found.is_dir():
        return check_preset(found) if is_preset(found) else check_files(found)
    return found.stat().st_size


def _rebuild(found: Path, target: Path, wishes: Wishes, task: TaskContext) -> dict[str, Any]:
    if found.is_file():
        check_model_file(found, classifier=False)
    elif is_preset(found) and importlib.util.find_spec("keras_hub") is None:
        raise ModelFileError(f"Presets are opened by the package KerasHub, which is not installed: run “{INSTALL}”.")
    asked = json.dumps({"image_size": wishes.image_size, "scaling": wishes.scaling})
    with tempfile.TemporaryFile() as printed:
        process = start_python(
            ("-m", PROGRAM, str(found.resolve()), str(target.resolve()), asked),
            {
                **{name: os.environ[name] for name in _VARIABLES if name in os.environ},
                "PYTHONPATH": with_our_code(),
                "KERAS_BACKEND": "tensorflow",
                "CUDA_VISIBLE_DEVICES": "",
                "TF_CPP_MIN_LOG_LEVEL": "2",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=printed,
        )
        try:
            values = _result_of(process, task)
        except ModelFileError:
            printed.seek(0)
            logger.warning("A network was refused: %s", printed.read().decode("utf-8", "replace")[-4000:])
            raise
        finally:
            end_process(process, grace=0)
    check_model_file(
        target / NETWORK, classifier=False, limits=NETWORKS
    )  # what the process has written is not trusted either
    return values


def _result_of(process: subprocess.Popen[bytes], task: TaskContext) -> dict[str, Any]:
    """What the process found; it is watched as long as it works."""
    frames: queue.Queue[Frame | None] = queue.Queue()

    def listen() -> None:
        assert process.stdout is not None  # noqa: S101  # a pipe, as requested
        with process.stdout as stream:
            frame: Frame | None = ({}, b"")
            while frame is not None:
                frame = read_frame(stream, 0)
                frames.put(frame)

    threading.Thread(target=listen, name="network-listen", daemon=True).start()
    deadline, done = time.monotonic() + SECONDS, 0.0
    while True:
        task.stop_if_asked(_STOPPED)
        if time.monotonic() > deadline or _memory_of(process) > MEMORY_BYTES:
            raise ModelFileError("The network took too long or too much memory to be opened: bring a smaller one.")
        try:
            frame = frames.get(timeout=_INTERVAL)
        except queue.Empty:
            continue
        if frame is None:
            raise ModelFileError("The process that opens the network ended by itself: bring another version of it.")
        values, _ = frame
        if "error" in values:
            raise ModelFileError(str(values["error"])[:1000])
        if values.get("ready"):
            return dict(values["found"])
        done += 1
        task.report(min(done, _STAGES), _STAGES + 1, str(values.get("stage", ""))[:100])


def _memory_of(process: subprocess.Popen[bytes]) -> int:
    try:
        return int(psutil.Process(process.pid).memory_info().rss)
    except psutil.Error:
        return 0  # it has just ended, which its pipe will show


def _store(workspace: Workspace, target: Path, found: dict[str, Any], title: str, origin: str) -> Network:
    """Put the network in its place, unless the very same is there already."""
    if not found["scaling"]:
        raise ModelFileError(
            "The file does not say in which range it takes its images: say “0 to 1”, “-1 to 1” or “0 to 255”, as it "
            "was trained (often 0 to 1 where images were divided by 255 outside the model)."
        )
    try:
        digest = sha256_of(target / NETWORK)
        name = network_id(title, digest, found["scaling"], found["image_size"], workspace.person)
        height, width, channels = (int(length) for length in found["feature_shape"])
        network = Network(
            id=name,
            title=title,
            origin=origin,
            sha256=digest,
            size=(target / NETWORK).stat().st_size,
            image_size=int(found["image_size"]),
            any_size=bool(found["any_size"]),
            scaling=found["scaling"],
            strides=str(found["strides"]),
            feature_shape=(height, width, channels),
            parameters=int(found["parameters"]),
            trainable_variables=int(found.get("trainable_variables", 0)),
            difference=float(found.get("difference", 0.0)),
            tokens=int(found.get("tokens", 0)),
            brought=now(),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError("The process that opens the network said something else than what it found.") from error
    for kept in list_networks(workspace):
        if (kept.sha256, kept.scaling, kept.image_size) == (network.sha256, network.scaling, network.image_size):
            return kept
    save_network(target, network)
    claim(workspace, target)
    place = networks_folder(workspace) / name
    discard_folder(place)  # which is there only if its record is damaged
    shutil.move(target, place)
    forget_usage(workspace)
    return network
