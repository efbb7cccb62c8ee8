"""The application as people use it: a server of its own, and a browser on the same cores."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.session import REPOSITORY, BenchmarkError
from tl_core.storage.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Page

START_SECONDS: Final = 90
BROWSER_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


@contextlib.contextmanager
def open_page() -> Iterator[Page]:
    """An empty page in a browser without a GPU; both are closed at the end of the block."""
    from playwright.sync_api import sync_playwright

    from tests.e2e.browser import find_or_install_browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_or_install_browser(), args=list(BROWSER_ARGUMENTS))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(1000 * START_SECONDS)
        yield page
        browser.close()


@contextlib.contextmanager
def serve(room: Workspace) -> Iterator[str]:
    """Run the application on a workspace until the block is left; gives its address.

    Raises:
        BenchmarkError: it did not start.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    log = room.root / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment(str(room.root)), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://localhost:{port}"
        _wait_until_it_answers(url, server, log)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_it_answers(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:
            if answer.status == 200:
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(0.2)
    raise BenchmarkError(f"The server did not start:\n{log.read_text(errors='replace')[-2000:]}")


def environment(workspace: str) -> dict[str, str]:
    """Variables of a process that works in a workspace."""
    return {**os.environ, "TL_WORKSPACE": workspace}
