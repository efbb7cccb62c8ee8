"""The network between browser and server fails for a while: afterwards the page shows the same run, all of it."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.application import DESKTOP, App
from tests.e2e.long_run import epochs_told, training_server
from tests.e2e.network import Network
from tl_core.runs import RunRecord

pytestmark = pytest.mark.e2e

COMPLETE_WITHIN = 3.0  # seconds, from the socket being open again to a chart with all epochs
BACK_WITHIN = 60_000  # ms, until the browser has found the server again: it asks every 4 s at most

# Notes when sockets open and close, in milliseconds of the page, before Streamlit opens its first.
WATCH_SOCKETS = """
  window.sockets = []
  window.WebSocket = class extends window.WebSocket {
    constructor(...values) {
      super(...values)
      const socket = { opened: null, closed: null }
      window.sockets.push(socket)
      this.addEventListener("open", () => (socket.opened = performance.now()))
      this.addEventListener("close", () => (socket.closed = performance.now()))
    }
  }
"""
CLOSED = "() => window.sockets.every((socket) => socket.closed !== null || socket.opened === null)"
VALIDATION = "document.querySelector('.tlc-plot')?.data?.find((trace) => trace.uid === 'loss-validation')"
CONNECTED = "() => window.sockets.at(-1).opened !== null && window.sockets.at(-1).closed === null"
LAST_EPOCH = f"({VALIDATION}?.x?.at(-1) ?? 0)"
# From the open socket to a chart that reaches the epoch, in milliseconds of the page.
WAIT_FOR_CHART = f"""
  (epoch) => {{
    window.complete = new Promise((resolve) => {{
      const look = () => {{
        const socket = window.sockets.at(-1)
        const done = socket.opened !== null && socket.closed === null && {LAST_EPOCH} >= epoch
        done ? resolve(performance.now() - socket.opened) : setTimeout(look, 20)
      }}
      look()
    }})
  }}
"""


@dataclass(frozen=True)
class Cut:
    """What came of one failure of the network."""

    lasted: float  # seconds
    complete_after: float  # seconds from the reconnection to a chart with all epochs
    missed: int  # epochs that ended meanwhile


@dataclass
class Viewer:
    """A browser of its own that watches the run through a network of its own."""

    page: Page
    network: Network
    run: RunRecord
    cut_at: float = 0.0
    lasted: float = 0.0  # seconds
    reached: int = 0  # epoch, when it was cut
    told: int = 0  # epoch, when it was mended

    def cut(self) -> None:
        before = self.network.cut_connections
        self.network.cut()
        self.cut_at, self.reached = time.monotonic(), epochs_told(self.run)[-1]
        assert self.network.cut_connections > before, "there was a connection to cut"
        self.page.wait_for_function(CLOSED)

    def mend(self) -> None:
        """The network works again."""
        self.told, self.lasted = epochs_told(self.run)[-1], time.monotonic() - self.cut_at
        assert self.page.evaluate(LAST_EPOCH) <= self.reached + 1, "the page has heard nothing meanwhile"
        self.page.evaluate(WAIT_FOR_CHART, self.told)
        self.network.mend()

    def wait_for_chart(self) -> Cut:
        """Wait for the complete chart."""
        self.page.wait_for_function(CONNECTED, timeout=BACK_WITHIN)
        milliseconds = self.page.evaluate("window.complete")
        self._assert_the_same_run_without_a_gap(self.told)
        return Cut(self.lasted, milliseconds / 1000, self.told - self.reached)

    def _assert_the_same_run_without_a_gap(self, told: int) -> None:
        assert f"run={self.run.id}" in self.page.url
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name="CSV").click()
        epochs = [int(row["epoch"]) for row in csv.DictReader(download.value.path().read_text().splitlines())]
        assert epochs == list(range(1, len(epochs) + 1))
        assert len(epochs) >= told


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, RunRecord]]:
    with training_server(Path(tmp_path_factory.mktemp("network"))) as started:
        yield started


@pytest.fixture
def watch(browser: Browser, training: tuple[App, RunRecord]) -> Iterator[Callable[[], Viewer]]:
    """Open the run in a browser of its own."""
    app, run = training
    with ExitStack() as stack:

        def open_run() -> Viewer:
            network = stack.enter_context(Network(int(app.url.rpartition(":")[2])))
            context = browser.new_context(viewport=DESKTOP, accept_downloads=True)  # type: ignore[arg-type]
            stack.callback(context.close)
            context.add_init_script(WATCH_SOCKETS)
            page = context.new_page()
            page.goto(f"{network.url}/Train?run={run.id}")
            page.wait_for_function(f"() => {LAST_EPOCH} > 0")
            return Viewer(page, network, run)

        yield open_run


def cut_together(viewers: list[Viewer], seconds: float) -> list[Cut]:
    """Cut the network of all of them for so long."""
    for viewer in viewers:
        viewer.cut()
    last = viewers[-1]  # the first ones are away a little longer
    last.page.wait_for_timeout(max(0.0, seconds - (time.monotonic() - last.cut_at)) * 1000)
    return mend_together(viewers)


def mend_together(viewers: list[Viewer]) -> list[Cut]:
    """Let all of them have their network again."""
    for viewer in viewers:
        viewer.mend()
    return [viewer.wait_for_chart() for viewer in viewers]


@pytest.mark.slow
def test_after_a_second_without_network_the_chart_is_complete(watch: Callable[[], Viewer]):
    viewer = watch()
    for _ in range(2):
        (cut,) = cut_together([viewer], 1.0)
        assert cut.complete_after < 3 * COMPLETE_WITHIN, "other tests use the cores as well"
    assert viewer.network.refused > 0, "the browser has tried meanwhile"


@pytest.mark.long
@pytest.mark.timeout(900)
def test_twenty_browsers_without_network_for_5_s_30_s_and_5_min(watch: Callable[[], Viewer]):
    """Six are away for five minutes; meanwhile six for 30 s, three at once, and eight for 5 s, four at once."""
    away = [watch() for _ in range(6)]
    for viewer in away:
        viewer.cut()
    cuts = []
    for together, seconds, times in ((3, 30.0, 2), (4, 5.0, 2)):
        for _ in range(times):
            some = [watch() for _ in range(together)]
            cuts += cut_together(some, seconds)
            for viewer in some:
                viewer.page.context.close()
    away[-1].page.wait_for_timeout(max(0.0, 300.0 - (time.monotonic() - away[-1].cut_at)) * 1000)
    cuts += mend_together(away)
    print("\ncut for (s), complete after (s), epochs told meanwhile")  # noqa: T201  # figures for docs/reliability.md
    for cut in cuts:
        print(f"{cut.lasted:11.1f} {cut.complete_after:18.2f} {cut.missed:10d}")  # noqa: T201
    assert len(cuts) == 20
    assert min(cut.missed for cut in cuts if cut.lasted > 29) > 0, "something was missed that had to come again"
    assert [cut for cut in cuts if cut.complete_after >= COMPLETE_WITHIN] == []
