"""Finding a browser to test with, or installing one; never skipping for want of one."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

logger = logging.getLogger(__name__)

INSTALLED_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)
INSTALLED_PATHS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
DOWNLOAD_SECONDS = 300
LOCK = Path(tempfile.gettempdir()) / "transfer-learning-browser.lock"
NO_BROWSER = (
    "The browser tests need Chrome, Chromium or Edge, and none was found or could be installed: install one of "
    "them (on Debian and Ubuntu: apt-get install chromium), or name its program in TL_BROWSER."
)


class NoBrowserError(Exception):
    """No browser is here and none could be installed."""


def find_or_install_browser() -> Path:
    """The program of a Chromium-like browser, installed on the way if that is possible.

    Raises:
        NoBrowserError: there is none, and neither Playwright's download nor Debian's package could be had.
    """
    with FileLock(LOCK):  # tests run in two processes, of which one may install
        if found := next(_installed(), None):
            return found
        for install in (_debian_package, _playwright_download):
            if installed := install():
                return installed
    raise NoBrowserError(NO_BROWSER)


def _installed() -> Iterator[Path]:
    if named := os.environ.get("TL_BROWSER"):
        yield Path(named)
    yield from (Path(found) for name in INSTALLED_NAMES if (found := shutil.which(name)))
    yield from (path for name in INSTALLED_PATHS if (path := Path(name)).is_file())
    if downloaded := _of_playwright():
        yield downloaded


def _of_playwright() -> Path | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.is_file() else None


def _debian_package() -> Path | None:
    if shutil.which("apt-get") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    _try(["apt-get", "update"])
    _try(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"])
    return next((Path(found) for name in INSTALLED_NAMES if (found := shutil.which(name))), None)


def _playwright_download() -> Path | None:
    _try([sys.executable, "-m", "playwright", "install", "chromium"])
    return _of_playwright()


def _try(command: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(command, check=True, timeout=DOWNLOAD_SECONDS, env=environment, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        logger.warning("%s could not install a browser: %s", command[0], error)
