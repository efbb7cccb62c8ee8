"""Visitors of one server that trains meanwhile, each in a browser context of their own; what they had to wait.

``python -m tests.e2e.load 10 600`` is ten visitors for ten minutes, and prints a table.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import Error as BrowserError

from tests.e2e.application import CHROMIUM_ARGUMENTS, DESKTOP, App
from tests.e2e.browser import find_or_install_browser
from tests.e2e.long_run import epochs_told, training_server
from tests.e2e.visitor import ask, visiting
from tl_core.runs import RunRecord, load_run

UNHURRIED = (2.0, 8.0)  # seconds a visitor reads a page before the next action
WARMED_UP = 0.25  # of the time: what is loaded once has been loaded
PROBE_EVERY = 0.25  # seconds
RERUN_EVERY = 1.0  # seconds
RERUN_PAGES = ("", "Data", "Train", "Runs")
TAIL = 0.1  # of the time, over which memory is averaged
LOST_AFTER = 30_000  # ms until what a visitor waits for counts as never coming
UNHANDLED = ("Traceback", "Uncaught", "Unhandled", "did not expect")

SHOWN = """(title) => document.querySelector("h1")?.textContent.includes(title)"""
SETTLED = """(title) => {
  const app = document.querySelector('[data-testid="stApp"]')
  return document.querySelector("h1")?.textContent.includes(title) && app.dataset.testScriptState === "notRunning"
}"""
# From the click or Enter to the text that only the server can have changed, in milliseconds of the page.
MEASURE = """(text) => {
  const shown = () => document.querySelector('[data-testid="stMain"]').textContent.match(new RegExp(text))?.[0]
  const before = shown()
  window.measured = new Promise((resolve) => {
    let began = null
    const begin = (event) => { if (event.type === "click" || event.key === "Enter") began ??= performance.now() }
    for (const kind of ["click", "keydown"]) window.addEventListener(kind, begin, { capture: true })
    const changed = () => began !== null && shown() !== before
    const look = () => (changed() ? resolve(performance.now() - began) : setTimeout(look, 10))
    look()
  })
}"""


@dataclass
class Figures:
    """What the visitors and the server's own measures came to; times in seconds."""

    visitors: int
    seconds: float
    pauses: tuple[float, float]  # seconds between two things a visitor does
    loads: list[float] = field(default_factory=list)  # an address opened
    moves: list[float] = field(default_factory=list)  # a page chosen at the side
    interactions: dict[str, list[float]] = field(default_factory=dict)  # by page
    reruns: list[float] = field(default_factory=list)  # a page run by the server, for a visitor without a browser
    lost: list[str] = field(default_factory=list)  # what never came, and errors that a page showed
    probes: list[float] = field(default_factory=list)  # of /_stcore/health
    memory: list[tuple[float, int]] = field(default_factory=list)  # second, resident bytes of the server
    cores: dict[str, float] = field(default_factory=dict)  # busy on average, by process
    log_errors: list[str] = field(default_factory=list)
    epochs: int = 0  # that the training made meanwhile

    @property
    def waits(self) -> list[float]:
        """All interactions."""
        return [seconds for of_page in self.interactions.values() for seconds in of_page]

    @property
    def memory_growth(self) -> float:
        """Bytes from the end of the warming up to the end."""
        span = TAIL * self.seconds
        first = [size for at, size in self.memory if 0 <= at - WARMED_UP * self.seconds < span]
        last = [size for at, size in self.memory if at >= self.seconds - span]
        return float(np.median(last) - np.median(first))

    def table(self) -> str:
        """All figures, for a person."""
        loads = len(self.loads) + len(self.moves)
        rows = [
            ("visitors", f"{self.visitors} for {self.seconds:.0f} s, {self.epochs} epochs trained meanwhile"),
            ("pages opened", f"{loads} of {loads + len(self.lost)}"),
            ("load, an address", _spread(self.loads)),
            ("load, chosen at the side", _spread(self.moves)),
            ("interaction", _spread(self.waits)),
            *((f"  on {page}", _spread(waits)) for page, waits in sorted(self.interactions.items())),
            ("rerun, without a browser", _spread(self.reruns)),
            ("health", f"p99 {percentile(self.probes, 99):.3f} s of {len(self.probes)}"),
            ("server's memory", f"{self.memory_growth / 1e6:+.0f} MB after {WARMED_UP:.0%} of the time"),
            ("cores kept busy", ", ".join(f"{name} {busy:.2f}" for name, busy in self.cores.items())),
            ("errors in the log", str(len(self.log_errors))),
        ]
        return "\n".join(f"{name:26} {value}" for name, value in [*rows, *(("lost", text) for text in self.lost[:5])])


def percentile(values: list[float], share: float) -> float:
    """A percentile, or infinity where nothing was measured."""
    return float(np.percentile(values, share)) if values else float("inf")


def _spread(values: list[float]) -> str:
    middle, high, most = (percentile(values, share) for share in (50, 95, 100))
    return f"p50 {middle:.3f} s, p95 {high:.3f} s, most {most:.3f} s of {len(values)}"


def visit_together(
    app: App, run: RunRecord, visitors: int, seconds: float, pauses: tuple[float, float] = UNHURRIED
) -> Figures:
    """Let so many visitors use the server for so long, beside the training of ``run``."""
    figures = Figures(visitors, seconds, pauses)
    before, over = len(epochs_told(run)), threading.Event()
    watchers = [threading.Thread(target=watch, args=(app, figures, over)) for watch in (_watch_server, _rerun_pages)]
    for watcher in watchers:
        watcher.start()
    try:  # in a thread of its own, because a test may hold Playwright's other interface in this one
        outcome: list[BaseException] = []
        driver = threading.Thread(target=_drive, args=(app, run, figures, outcome))
        driver.start()
        driver.join()
    finally:
        over.set()
        for watcher in watchers:
            watcher.join()
    if outcome:
        raise outcome[0]
    figures.epochs = len(epochs_told(run)) - before
    logs = [app.log, app.workspace.logs / "server.log", load_run(run.path).folder.log_file]
    lines = [line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()]
    figures.log_errors = [line for line in lines if any(word in line for word in UNHANDLED)]
    return figures


def _watch_server(app: App, figures: Figures, over: threading.Event) -> None:
    server, began = psutil.Process(app.process.pid), time.monotonic()
    before, busy = _processor_seconds(server), {"server": 0.0, "browsers": 0.0}
    while not over.wait(PROBE_EVERY):
        asked = time.monotonic()
        status, _, _ = ask(f"{app.url}/_stcore/health")
        figures.probes.append(time.monotonic() - asked if status == 200 else float("inf"))
        figures.memory.append((time.monotonic() - began, server.memory_info().rss))
        browsers = [entry for entry in psutil.Process().children(recursive=True) if entry.pid != server.pid]
        busy["browsers"] = max(busy["browsers"], sum(_processor_seconds(browser) for browser in browsers))
    busy["server"] = _processor_seconds(server) - before
    figures.cores = {name: seconds / (time.monotonic() - began) for name, seconds in busy.items()}


def _rerun_pages(app: App, figures: Figures, over: threading.Event) -> None:
    """What an interaction takes where the visitor's browser is on another machine, apart from that browser."""
    with visiting(app.url) as visit:
        for page in itertools.cycle(RERUN_PAGES):
            if over.wait(RERUN_EVERY):
                return
            began = time.monotonic()
            visit.open(page)
            figures.reruns.append(time.monotonic() - began)


def _processor_seconds(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):  # ended
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _drive(app: App, run: RunRecord, figures: Figures, outcome: list[BaseException]) -> None:
    try:
        asyncio.run(_all_visits(app, run, figures))
    except BaseException as error:  # noqa: BLE001  # raised again by who waits
        outcome.append(error)


async def _all_visits(app: App, run: RunRecord, figures: Figures) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_or_install_browser(), args=list(CHROMIUM_ARGUMENTS)
        )
        until = time.monotonic() + figures.seconds
        visits = (_Visitor(app, run, figures, number).stay(browser, until) for number in range(figures.visitors))
        await asyncio.gather(*visits)
        await browser.close()


class _Visitor:
    def __init__(self, app: App, run: RunRecord, figures: Figures, number: int) -> None:
        self._app = app
        self._run = run
        self._figures = figures
        self._chance = random.Random(number)
        self._page: Page

    async def stay(self, browser: Browser, until: float) -> None:
        """Do one thing after the other, with pauses, until it is time to go."""
        context = await browser.new_context(viewport=DESKTOP, reduced_motion="reduce")  # type: ignore[arg-type]
        self._page = await context.new_page()
        self._page.set_default_timeout(LOST_AFTER)
        await self._pause()
        await self._do("Home", self._open_home)
        things: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("Data", self._browse_images),
            ("Train", self._change_settings),
            ("Runs", self._search_runs),
            ("Train", self._watch_run),
            ("Evaluate", self._look_at_evaluation),
            ("Home", self._open_home),
        ]
        while time.monotonic() < until:
            name, thing = self._chance.choice(things)
            await self._do(name, thing)
        await context.close()

    async def _do(self, name: str, thing: Callable[[], Awaitable[None]]) -> None:
        try:
            await thing()
            for failure in await self._page.get_by_test_id("stAlertContentError").all_inner_texts():
                self._figures.lost.append(f"{name} showed: {failure}")
        except (BrowserError, TimeoutError) as error:
            self._figures.lost.append(f"{name}: {error!r:.200}")
        await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(self._chance.uniform(*self._figures.pauses))

    async def _open(self, title: str, address: str) -> None:
        began = time.monotonic()
        await self._page.goto(address, wait_until="commit")
        await self._page.wait_for_function(SETTLED, arg=title)
        self._figures.loads.append(time.monotonic() - began)

    async def _move(self, title: str, there: str = SETTLED) -> None:
        link = self._page.get_by_test_id("stSidebarNav").or_(self._page.get_by_test_id("stSidebar"))
        began = time.monotonic()
        await link.get_by_role("link", name=title).first.click()
        await self._page.wait_for_function(there, arg=title)
        self._figures.moves.append(time.monotonic() - began)

    async def _interact(self, name: str, changes: str, act: Callable[[], Awaitable[None]]) -> None:
        await self._page.evaluate(MEASURE, changes)
        await act()
        waited = await asyncio.wait_for(self._page.evaluate("window.measured"), LOST_AFTER / 1000)
        self._figures.interactions.setdefault(name, []).append(waited / 1000)
        await self._pause()

    async def _open_home(self) -> None:
        await self._open("Transfer learning", self._app.at())

    async def _browse_images(self) -> None:
        await self._move("Data")
        for part in ("Validation", "All"):
            radio = self._page.get_by_role("radiogroup").get_by_text(part, exact=True)
            await self._interact("Data", r"\d+ images?\.\s*[Ss]elect", radio.click)

    async def _change_settings(self) -> None:
        await self._move("Train")
        for choice in ("None", "All"):
            button = self._page.get_by_role("button", name=choice, exact=True)
            await self._interact("Train", r"HalfNone.{20}", button.click)

    async def _search_runs(self) -> None:
        await self._move("Runs")
        field = self._page.get_by_role("searchbox", name="Search")
        for text in ("no such run", ""):
            await field.fill(text)
            await self._interact("Runs", "No run matches", lambda: field.press("Enter"))

    async def _watch_run(self) -> None:
        await self._open("Train", self._app.at("Train", run=self._run.id))
        await self._page.wait_for_function("() => Number(document.querySelector('.tlc-plot')?.dataset.updates) > 1")

    async def _look_at_evaluation(self) -> None:
        await self._move("Evaluate", SHOWN)  # predicting every image takes time, which the page shows


def main() -> None:
    """Print the figures of a load given as visitors and seconds."""
    visitors, seconds = int(sys.argv[1]), float(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder, training_server(Path(folder)) as (app, run):
        print(visit_together(app, run, visitors, seconds).table())  # noqa: T201


if __name__ == "__main__":
    main()
