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
from tl_core.command_line.verb import BAD_INPUT, DONE, Output, Verb, no_arguments
from tl_core.config import TrainingConfig
from tl_core.data.imports.building import require_room
from tl_core.errors import ConfigError, TransferLearningError
from tl_core.features.cache import open_cache
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


def examine(workspace: Workspace, port: int = BROWSER_PORT) -> Iterator[Finding]:
    """Run one check after the other; nothing but the workspace's folders is created or changed.

    Args:
        workspace: need not exist yet.
        port: at which the dashboard is to be served.
    """
    checks: tuple[tuple[str, Callable[[], Finding]], ...] = (
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
            yield check()
        except TransferLearningError as error:
            yield Finding(name, "not as it should be", str(error))


def _versions() -> Finding:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = ".".join(str(number) for number in sys.version_info[:3])
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
    if wrong:
        return Finding(
            "Python and packages",
            "; ".join(wrong),
            f"Use Python {project['requires-python']} and run “pip install -r requirements.txt”.",
        )
    return Finding("Python and packages", f"Python {python}, all {len(required)} packages in their tested ranges")


def _workspace(workspace: Workspace) -> Finding:
    workspace.ensure()
    require_room(workspace.root, 0)
    free = shutil.disk_usage(workspace.root).free
    return Finding("workspace", f"{workspace.root} can be written, {format_size(free)} free on its disk")


def _quota(workspace: Workspace) -> Finding:
    require_within_quota(workspace)
    found = usage(workspace)
    text = f"{format_size(found.total)} of {format_size(found.limit)} used"
    too_much = "Delete old runs on the Runs page before it is full."
    return Finding("quota", text, too_much if found.nearly_full else None)


def _cache(workspace: Workspace) -> Finding:
    cache = open_cache(workspace)
    taken = cache.size_bytes()
    text = f"{format_size(taken)} of at most {format_size(cache.limit_bytes)}"
    too_much = "Press “Free this space” on the Runs page; the next training fills it again within its bound."
    return Finding("cache", text, too_much if taken > cache.limit_bytes else None)


def _leftovers(workspace: Workspace) -> Finding:
    found = [path for pattern in _LEFTOVERS for path in workspace.root.glob(pattern) if _abandoned(path)]
    if not found:
        return Finding("leftovers", "nothing was left behind by imports or deletions that were cut off")
    names = ", ".join(f"{path.parent.name}/{path.name}" for path in found[:3]) + (", …" if len(found) > 3 else "")
    size = sum(folder_bytes(path) for path in found)
    return Finding(
        "leftovers",
        f"{len(found)} hidden folders of work that was cut off take {format_size(size)}: {names}",
        "End the dashboard and delete them; the next import also removes those in datasets after a day.",
    )


def _abandoned(folder: Path) -> bool:
    try:
        newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return False
    return time.time() - newest > _ABANDONED_SECONDS


def _weights(workspace: Workspace) -> Finding:
    default = BACKBONES[TrainingConfig().backbone]
    ensure_weights(default, workspace)
    others = [
        backbone.title
        for backbone in BACKBONES.values()
        if backbone is not default and weights_status(backbone, workspace).here
    ]
    missing = len(BACKBONES) - 1 - len(others)
    also = f"; also here: {', '.join(others)}" if others else ""
    text = f"{default.title} is here and is the published file{also}; {missing} others are downloaded on first use"
    return Finding("weights", text)


def _device() -> Finding:
    hardware = detect_hardware()
    text = f"{hardware.summary}, {format_size(hardware.memory_bytes)} of memory"
    libraries = any((entry.metadata["Name"] or "").startswith("nvidia-cudnn") for entry in metadata.distributions())
    without = 'Run “pip install "tensorflow[and-cuda]>=2.21,<2.22"” so that the GPU is used.'
    return Finding("device", text, without if hardware.gpus and not libraries else None)


def _port(port: int) -> Finding:
    with socket.socket() as probe:
        if os.name == "posix":  # on other systems it would let two programs have the same port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            if _dashboard_answers(port):
                return Finding("browser port", f"a dashboard answers at http://localhost:{port}")
            other = f"Start with “streamlit run app.py --server.port {port + 1}”, or end the other program."
            return Finding("browser port", f"{port} is taken by another program", other)
    return Finding("browser port", f"{port} is free")


def _dashboard_answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=_ANSWER_SECONDS) as answer:
            return bool(answer.read(16).strip() == b"ok")
    except (OSError, ValueError):
        return False


def _passcode() -> Finding:
    text = os.environ.get("TL_PASSCODE_HASH")
    if not text:
        return Finding("pass-code", "none is set: the dashboard answers on this machine only")
    StoredHash.parse(text)
    return Finding("pass-code", "one is set and can be read")


def _port_number(text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 2**16:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a number from 1 to 65535, not {text!r}")


def _add_doctor_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", type=_port_number, default=BROWSER_PORT, help="where the browser shall find the dashboard"
    )


def _doctor(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    findings = list(examine(workspace, options.port))
    values = {
        "ok": all(finding.ok for finding in findings),
        "findings": [{**asdict(finding), "ok": finding.ok} for finding in findings],
    }
    output.result(values, [_format_finding(finding) for finding in findings])
    return DONE if values["ok"] else BAD_INPUT


def _format_finding(finding: Finding) -> str:
    if finding.ok:
        return f"OK     {finding.name}: {finding.text}"
    return f"TO DO  {finding.name}: {finding.text}. {finding.advice}"


def _hash_passcode(_options: argparse.Namespace, _workspace: Workspace, output: Output) -> int:
    text = hash_passcode(_read_passcode())
    output.say("Start the dashboard with this line in its environment; the pass-code itself is kept nowhere.")
    output.result({"TL_PASSCODE_HASH": text}, [f"TL_PASSCODE_HASH={text}"])
    return DONE


def _read_passcode() -> str:
    """The pass-code, typed twice and not shown; or the first line of what is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    passcode = getpass.getpass("Pass-code (it is not shown): ")
    if passcode != getpass.getpass("The same once more: "):
        raise ConfigError("The two pass-codes differ: run the command again.")
    return passcode


DOCTOR_VERB = Verb(
    "doctor", "Check this machine, and say what to do.", _add_doctor_arguments, _doctor, needs_workspace=False
)
PASSCODE_VERB = Verb(
    "passcode",
    "Make the hash of a pass-code, for TL_PASSCODE_HASH.",
    no_arguments,
    _hash_passcode,
    needs_workspace=False,
)
