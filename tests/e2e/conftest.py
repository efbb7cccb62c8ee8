"""The real application in a real browser."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.application import DESKTOP, App, serve
from tests.tl_core.imported_models.networks.local_hub import LocalHub, local_hub
from tl_core.storage.files import read_json

WAIT_MILLISECONDS = 60_000
expect.set_options(timeout=WAIT_MILLISECONDS)


class SharedServer:
    """One server for all files that need none of their own; each of them finds its workspace empty.

    A server costs more than many a test: its start, the process that trains, TensorFlow in both of them, and the
    measurement of this machine's speed.
    """

    def __init__(self, make_folder: Callable[[], Path], environment: dict[str, str]) -> None:
        self._make_folder = make_folder
        self._environment = environment
        self._stack = contextlib.ExitStack()
        self._app: App | None = None

    def emptied(self) -> App:
        """The server, or a new one where a test before has ended it or left a training at work."""
        if self._app is None or self._app.process.poll() is not None or _at_work(self._app):
            self.close()
            self._app = self._stack.enter_context(serve(self._make_folder(), self._environment))
        room = self._app.workspace
        for folder in (room.datasets, room.runs, room.models, room.drafts):
            shutil.rmtree(folder, ignore_errors=True)
        room.ensure()
        return self._app

    def close(self) -> None:
        """End it."""
        self._stack.close()


def _at_work(app: App) -> bool:
    records = app.workspace.runs.glob("*/run.json")
    return any(read_json(record)["status"] in ("queued", "running") for record in records)


@pytest.fixture(scope="session")
def hub() -> Iterator[LocalHub]:
    """Kaggle Models and Hugging Face, as the shared server asks them; without networks until a test gives some."""
    with local_hub({}) as running:
        yield running


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory, hub: LocalHub) -> Iterator[SharedServer]:
    environment = {"KAGGLE_API_ENDPOINT": hub.url, "HF_ENDPOINT": hub.url}
    server = SharedServer(lambda: tmp_path_factory.mktemp("shared-app"), environment)
    yield server
    server.close()


@pytest.fixture(scope="module")
def start_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., App]]:
    """Start a server of its own, with an empty workspace; it ends after the tests of a file."""
    with contextlib.ExitStack() as stack:

        def start(**environment: str) -> App:
            folder = tmp_path_factory.mktemp("app")
            return stack.enter_context(serve(folder, environment))

        yield start


@pytest.fixture(scope="module")
def app(shared_server: SharedServer) -> App:
    """A server with an empty workspace."""
    return shared_server.emptied()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=DESKTOP, accept_downloads=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(WAIT_MILLISECONDS)
    yield page
    context.close()
