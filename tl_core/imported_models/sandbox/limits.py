"""What the process that opens an imported model may still do: compute, within bounds.

Limits of the operating system where it has them (Linux, in part macOS), and on every system an audit hook: Python
reports every file that is opened for writing, every connection and every program that is started, and none of
that is needed to ask a model. It is a second wall behind the check of the file, not a sandbox.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

resource: ModuleType | None
try:
    import resource
except ImportError:  # Windows
    resource = None

_MESSAGES: Final = 1 << 20  # bytes of its output in the log
_SYSTEM: Final = ("/proc/meminfo", "/proc/self/", "/proc/cpuinfo", "/proc/vmstat", "/proc/zoneinfo", "/sys/devices/")
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FORBIDDEN: Final = frozenset(
    {
        "ctypes.dlopen",
        "ftplib.connect",
        "http.client.connect",
        "os.chmod",
        "os.chown",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.kill",
        "os.link",
        "os.mkdir",
        "os.posix_spawn",
        "os.putenv",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.spawn",
        "os.startfile",
        "os.symlink",
        "os.system",
        "os.truncate",
        "pickle.find_class",
        "pty.spawn",
        "shutil.copyfile",
        "shutil.move",
        "shutil.rmtree",
        "smtplib.connect",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.sendto",
        "subprocess.Popen",
        "tempfile.mkdtemp",
        "tempfile.mkstemp",
        "urllib.Request",
        "webbrowser.open",
    }
)


def limit_writing(most: int = _MESSAGES) -> None:
    """No file of this process gets larger than its own messages, and none shows its memory after a crash.

    Args:
        most: bytes of a file, where it has more to write.
    """
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def limit_memory(more: int) -> None:
    """Let this process take at most ``more`` bytes beyond what it has now, until the next call."""
    if resource is None or not sys.platform.startswith("linux"):
        return  # the server watches the process from outside, too
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + more
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def lift_memory_limit() -> None:
    """Let this process take what it needs, to load the libraries."""
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def forbid_everything_else(readable: Path, writable: Path | None = None) -> None:
    """From now on, for good: no writing, no connection, no other program.

    Args:
        readable: the model's file or folder; besides it only what belongs to Python itself is read.
        writable: a folder in which files may be written.
    """
    own = tuple(str(Path(path).resolve()) for path in {sys.prefix, sys.base_prefix, *filter(None, sys.path)})
    ours = str(Path(__file__).parents[2])
    model, target = str(readable), f"{writable}/" if writable else None

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        removes = event == "os.remove" and target is not None and str(arguments[0]).startswith(target)
        if event in _FORBIDDEN and not removes:
            raise PermissionError(f"{event} is not allowed while a model from a file is open")
        if event == "open":
            _check_open(arguments, (*own, ours, model), target)

    sys.addaudithook(watch)


def _check_open(arguments: tuple[Any, ...], readable: tuple[str, ...], writable: str | None) -> None:
    path, mode, flags = arguments
    writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & _WRITING)
    if isinstance(path, int) and not writes:
        return
    # `os.path`, which does nothing that would call this hook again.
    name = os.path.abspath(os.fsdecode(path)) if isinstance(path, (str, bytes, os.PathLike)) else ""  # noqa: PTH100
    if writable is not None and name.startswith(writable):
        return
    if writes or not name.startswith((*readable, *_SYSTEM)):
        raise PermissionError("no such file may be opened while a model from a file is open")
