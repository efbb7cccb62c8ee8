"""An exported page in a real browser that has no network, opened as a file, and asked as a person does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

READY_MILLISECONDS = 120_000


@dataclass
class OpenedPage:
    page: Page
    requests: list[str]  # addresses that it asked for
    complaints: list[str]  # of its scripts, and of the browser about them

    @property
    def facts(self) -> dict[str, str]:
        """What the page tells programs: state, backend, difference, answer, novelty, answers."""
        return dict(self.page.evaluate("({ ...document.documentElement.dataset })"))

    def ask(self, file: Path) -> tuple[np.ndarray, dict[str, str]]:
        """Choose a photo; the probabilities of the classes, and the facts of the answer."""
        before = self.answers
        self.page.set_input_files("#file", file)
        self.wait_for_answers(before + 1)
        return self.probabilities(), self.facts

    @property
    def answers(self) -> int:
        """How many there were."""
        return int(self.facts.get("answers", 0))

    def wait_for_answers(self, count: int) -> None:
        """Until there were so many. Playwright's own way makes a script of a text, which the page forbids."""
        self.page.evaluate(
            """count => new Promise((done) => {
                const look = () => (document.documentElement.dataset.answers >= count ? done() : setTimeout(look, 20))
                look()
            })""",
            count,
        )

    def probabilities(self) -> np.ndarray:
        """As the chips have them, in the order of the classes."""
        shares: list[list[Any]] = self.page.eval_on_selector_all(
            ".chip", "chips => chips.map((chip) => [chip.dataset.place, chip.dataset.probability])"
        )
        return np.array([float(share) for _, share in sorted(shares, key=lambda one: int(one[0]))])


@contextlib.contextmanager
def opened(browser: Browser, file: Path, film: Path, **how: Any) -> Iterator[OpenedPage]:
    """Open a page from ``file://`` in a browser without a network, whose camera shows a film.

    Args:
        browser: of which another one is started.
        file: the page.
        film: Motion JPEG.
        how: of the window, such as ``viewport``.
    """
    from tests.e2e.application import CHROMIUM_ARGUMENTS
    from tests.e2e.browser import find_or_install_browser

    camera = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}")
    running = browser.browser_type.launch(
        executable_path=find_or_install_browser(), args=[*CHROMIUM_ARGUMENTS, *camera]
    )
    try:
        context = running.new_context(offline=True, permissions=["camera"], **how)
        page = context.new_page()
        page.set_default_timeout(READY_MILLISECONDS)
        found = OpenedPage(page, [], [])
        page.on("request", lambda request: found.requests.append(request.url))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on("console", lambda said: found.complaints.append(said.text) if said.type == "error" else None)
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-state=ready], html[data-state=failed]")
        yield found
    finally:
        running.close()
