"""``doctor`` and ``passcode``: check this machine and say what to do; hash a pass-code for the dashboard."""

from __future__ import annotations

import argparse
import getpass
import os
import shutil
import socket
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tl_core.backbones.registry import BACKBONES
from tl_core.backbones.weights import ensure_weights, weights_status
from tl_core.command_line.tracking import check_trackers
from tl_core.command_line.verb import BAD_INPUT, DONE, Output
from tl_core.config import TrainingConfig
from tl_core.data.imports.building import require_room
from tl_core.errors import ConfigError, TransferLearningError
from tl_core.features.cache import open_cache
from tl_core.jobs.runners.ray_cluster import check_nodes, cluster_address, require_ray
from tl_core.machine.hardware import detect_hardware
from tl_core.storage.format import size as format_size
from tl_core.storage.passcode import StoredHash, hash_passcode
from tl_core.storage.quota import folder_bytes, require_within_quota, usage
from tl_core.storage.workspace import Workspace

PROJECT: Final = Path(__file__).resolve().parents[2]
BROWSER_PORT: Final = 8501

_ABANDONED_SECONDS: Final = 3600.0  # a hidden folder untouched for so long belongs to no work in progress
_LEFTOVERS: Final = ("datasets/.importing-*", "datasets/.deleting-*", "runs/.deleted-*", "cache/.making-*")
_ANSWER_SECONDS: Final = 2.0
_WRONG: Final = "not as it should be"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    text: str  # what was found
    advice: str | None = None  # what to do; None = all is well

    @property
    def ok(self) -> bool:
        """Whether nothing need be done."""
        return self.advice is None


Checked = tuple[str, str | None]
"""Text and advice of a `Finding`."""


def examine(workspace: Workspace, port: int = BROWSER_PORT) -> Iterator[Finding]:
    """Run one check after the other; nothing but the workspace's folders is created or changed.

    Args:
        workspace: need not exist yet.
        port: at which the dashboard is to be served.
    """
    checks: tuple[tuple[str, Callable[[], Checked]], ...] = (
        ("Python and packages", _versions),
        ("workspace", lambda: _workspace(workspace)),
        ("quota", lambda: _quota(workspace)),
        ("cache", lambda: _cache(workspace)),
        ("leftovers", lambda: _leftovers(workspace)),
        ("weights", lambda: _weights(workspace)),
        ("device", _device),
        ("browser port", lambda: _port(port)),
        ("pass-code", _passcode),
    )
    for name, check in checks:
        try:
            yield Finding(name, *check())
        except TransferLearningError as error:
            yield Finding(name, _WRONG, str(error))
    yield from (Finding(*found) for found in check_trackers())
    if cluster_address() is not None:
        yield from _cluster(workspace)


def _cluster(workspace: Workspace) -> Iterator[Finding]:
    """One finding per node: each writes and reads in the workspace, and tells its versions."""
    try:
        for node, text, problem in check_nodes(require_ray(), workspace):
            yield Finding(f"cluster node {node}", text, problem and f"{node} {problem}.")
    except TransferLearningError as error:
        yield Finding("cluster", _WRONG, str(error))


def _versions() -> Checked:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = ".".join(map(str, sys.version_info[:3]))
    wrong = [] if python in SpecifierSet(project["requires-python"]) else [f"Python {python}"]
    lines = (PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    required = [Requirement(line) for line in lines if line.strip() and not line.startswith(("#", "-"))]
    for requirement in required:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if version not in requirement.specifier:
            wrong.append(f"{requirement.name} {version} instead of {requirement.specifier}")
    if not wrong:
        return f"Python {python}, all {len(required)} packages in their tested ranges", None
    advice = f"Use Python {project['requires-python']} and run “pip install -r requirements.txt”."
    return "; ".join(wrong), advice


def _workspace(workspace: Workspace) -> Checked:
    workspace.ensure()
    require_room(workspace.root, 0)
    free = shutil.disk_usage(workspace.root).free
    return f"{workspace.root} can be written, {format_size(free)} free on its disk", None


def _quota(workspace: Workspace) -> Checked:
    require_within_quota(workspace)
    found = usage(workspace)
    too_much = "Delete old runs on the Runs page before it is full."
    text = f"{format_size(found.total)} of {format_size(found.limit)} used"
    return text, too_much if found.nearly_full else None


def _cache(workspace: Workspace) -> Checked:
    cache = open_cache(workspace)
    taken = cache.size_bytes()
    too_much = "Press “Free this space” on the Runs page; the next training fills it again within its bound."
    text = f"{format_size(taken)} of at most {format_size(cache.limit_bytes)}"
    return text, too_much if taken > cache.limit_bytes else None


def _leftovers(workspace: Workspace) -> Checked:
    found = [path for pattern in _LEFTOVERS for path in workspace.root.glob(pattern) if _abandoned(path)]
    if not found:
        return "nothing was left behind by imports or deletions that were cut off", None
    names = ", ".join(f"{path.parent.name}/{path.name}" for path in found[:3]) + (", …" if len(found) > 3 else "")
    size = format_size(sum(folder_bytes(path) for path in found))
    return (
        f"{len(found)} hidden folders of work that was cut off take {size}: {names}",
        "End the dashboard and delete them; the next import also removes those in datasets after a day.",
    )


def _abandoned(folder: Path) -> bool:
    try:
        newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return False
    return time.time() - newest > _ABANDONED_SECONDS


def _weights(workspace: Workspace) -> Checked:
    default = BACKBONES[TrainingConfig().backbone]
    ensure_weights(default, workspace)
    rest = [backbone for backbone in BACKBONES.values() if backbone is not default]
    others = [backbone.title for backbone in rest if weights_status(backbone, workspace).here]
    also = f"; also here: {', '.join(others)}" if others else ""
    missing = f"{len(rest) - len(others)} others are downloaded on first use"
    return f"{default.title} is here and is the published file{also}; {missing}", None


def _device() -> Checked:
    hardware = detect_hardware()
    text = f"{hardware.summary}, {format_size(hardware.memory_bytes)} of memory"
    libraries = any((entry.metadata["Name"] or "").startswith("nvidia-cudnn") for entry in metadata.distributions())
    without = 'Run “pip install "tensorflow[and-cuda]>=2.21,<2.22"” so that the GPU is used.'
    return text, without if hardware.gpus and not libraries else None


def _port(port: int) -> Checked:
    with socket.socket() as probe:
        if os.name == "posix":  # on other systems it would let two programs have the same port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            if _dashboard_answers(port):
                return f"a dashboard answers at http://localhost:{port}", None
            other = f"Start with “streamlit run app.py --server.port {port + 1}”, or end the other program."
            return f"{port} is taken by another program", other
    return f"{port} is free", None


def _dashboard_answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=_ANSWER_SECONDS) as answer:
            return bool(answer.read(16).strip() == b"ok")
    except (OSError, ValueError):
        return False


def _passcode() -> Checked:
    text = os.environ.get("TL_PASSCODE_HASH")
    if not text:
        return "none is set: the dashboard answers on this machine only", None
    StoredHash.parse(text)
    return "one is set and can be read", None


def port_number(text: str) -> int:
    """An option as a port."""
    if text.isdecimal() and 0 < int(text) < 2**16:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a number from 1 to 65535, not {text!r}")


def doctor(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Check this machine."""
    findings = list(examine(workspace, options.port))
    ok = all(finding.ok for finding in findings)
    lines = [
        f"{'OK   ' if found.ok else 'TO DO'}  {found.name}: {found.text}{'' if found.ok else f'. {found.advice}'}"
        for found in findings
    ]
    values = {"ok": ok, "findings": [{**asdict(finding), "ok": finding.ok} for finding in findings]}
    return output.result(values, lines, DONE if ok else BAD_INPUT)


def passcode(_options: argparse.Namespace, _workspace: Workspace, output: Output) -> int:
    """Hash a pass-code, typed twice and not shown, or the first line of what is piped in."""
    if sys.stdin.isatty():
        typed = getpass.getpass("Pass-code (it is not shown): ")
        if typed != getpass.getpass("The same once more: "):
            raise ConfigError("The two pass-codes differ: run the command again.")
    else:
        typed = sys.stdin.readline().rstrip("\r\n")
    text = hash_passcode(typed)
    output.say("Start the dashboard with this line in its environment; the pass-code itself is kept nowhere.")
    return output.result({"TL_PASSCODE_HASH": text}, [f"TL_PASSCODE_HASH={text}"])
