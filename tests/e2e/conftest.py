"""The real application in a real browser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.application import CHROMIUM_ARGUMENTS, DESKTOP, App, serve
from tests.e2e.browser import find_or_install_browser

WAIT_MILLISECONDS = 60_000
expect.set_options(timeout=WAIT_MILLISECONDS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = find_or_install_browser()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_ARGUMENTS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def start_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., App]]:
    """Start a server of its own, with an empty workspace; it ends after the tests of a file."""
    with contextlib.ExitStack() as stack:

        def start(**environment: str) -> App:
            folder = tmp_path_factory.mktemp("app")
            return stack.enter_context(serve(folder, environment))

        yield start


@pytest.fixture(scope="module")
def app(start_app: Callable[..., App]) -> App:
    return start_app()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=DESKTOP, accept_downloads=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(WAIT_MILLISECONDS)
    yield page
    context.close()
