"""The running application and the browser that drives it, for tests, screenshots and benchmarks."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tl_core.storage.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 60
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",  # containers and root have no user namespaces
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Windows of Chromium's own that each new window prepares, and half of what it costs; then what Playwright turns
    # off, because the last such argument alone counts.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,HttpsUpgrades,PaintHolding,MediaRouter,"
    "OptimizationHints,ThirdPartyStoragePartitioning,DestroyProfileOnBrowserClose,LensOverlay,AimEnabled",
)


class NotServedError(Exception):
    """The server ended or did not answer."""


@dataclass(frozen=True)
class App:
    """A running server."""

    url: str
    workspace: Workspace
    process: subprocess.Popen[bytes]
    log: Path

    def at(self, page: str = "", **query: str) -> str:
        """Address of one page, such as ``Train``, with its query."""
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return f"{self.url}/{page}{'?' + text if text else ''}"


@contextlib.contextmanager
def serve(folder: Path, environment: dict[str, str]) -> Iterator[App]:
    """Run a server of its own with an empty workspace in ``folder``, until the block is left."""
    port, log = _free_port(), folder / "server.log"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    workspace = Workspace(folder / "workspace")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "TL_WORKSPACE": str(workspace.root), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        app = App(f"http://localhost:{port}", workspace, process, log)
        _wait_until_it_answers(app)
        yield app
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(app: App) -> None:
    for _ in range(START_SECONDS * 10):
        if app.process.poll() is not None:
            raise NotServedError(f"The server ended at once:\n{app.log.read_text(errors='replace')}")
        if _answers(app.url):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            app.process.wait(0.1)
    raise NotServedError(f"The server did not answer in {START_SECONDS} s:\n{app.log.read_text(errors='replace')}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
